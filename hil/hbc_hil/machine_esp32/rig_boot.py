# What the rig starts instead of main.py: charges the firmware's own computing, then powers the box up.
#
# The firmware is not touched: its methods are wrapped from outside, as a debugger would.

import builtins
import gc
import sys

import costs
import micropython
from chip import chip
from line import BANNER_AFTER_NS, BYTE_NS, line
from vtime import charge, now


def _charged(method, ns):
    # One wrapper an arity: star arguments would allocate under the firmware's heap lock, and so would a closure
    # whose cells and arguments together are more than five.
    what = (ns, method)

    @micropython.native
    def none(self):
        charge(ns)
        return method(self)

    @micropython.native
    def one(self, a):
        charge(ns)
        return method(self, a)

    @micropython.native
    def two(self, a, b):
        charge(ns)
        return method(self, a, b)

    @micropython.native
    def three(self, a, b, c):
        charge(what[0])
        return what[1](self, a, b, c)

    return none, one, two, three


# Arguments beside self.
_WRAPPER = {"step": 0, "take": 0, "push": 1, "save": 1, "mark": 2, "_send": 2, "push_block": 3}


class _Heap:
    """Stands for `gc` in the app: the heap here is the PC's and holds the simulator too, so how much of it is free
    says nothing about a box and differs from run to run."""

    MEM_FREE_BYTES = 110000  # what an ESP32 has left after boot, roughly; not measured on silicon

    def collect(self):
        gc.collect()

    def mem_free(self):
        return self.MEM_FREE_BYTES


def install():
    try:
        __import__("hbc_fw.app", None, None, ("gc",)).gc = _Heap()
    except ImportError:
        return  # other firmware, or none
    for module_name, class_name, method_name, ns in costs.METHODS:
        module = __import__(module_name, None, None, (class_name,))
        cls = getattr(module, class_name)
        wrappers = _charged(getattr(cls, method_name), ns)
        setattr(cls, method_name, wrappers[_WRAPPER[method_name]])


ROMS = {
    "esp32": "ets Jul 29 2019 12:21:46",
    "esp32s3": "ESP-ROM:esp32s3-20210327",
    "esp32c6": "ESP-ROM:esp32c6-20220919",
    "esp32c3": "ESP-ROM:esp32c3-api1-20210207",
}
BANNER = "%s\r\n\r\nrst:0x%x (%s),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x3fff0030,len:4892\r\n"


def _greet():
    """What the ROM and the bootloader say on the line after a reset. At power-up no host listens yet."""
    if chip.boot:
        brownout = chip.config["reset_cause"] == 1
        code, word = (0xF, "RTCWDT_BROWN_OUT_RESET") if brownout else (0xC, "SW_CPU_RESET")
        text = BANNER % (ROMS[chip.config["chip"]], code, word)
        line.say(text, now() - costs.BOOT + BANNER_AFTER_NS + len(text) * BYTE_NS)


def _print(*values, sep=" ", end="\r\n", file=None):
    # The interpreter's output goes to the host's line; standard output carries records here.
    line.say(sep.join([str(value) for value in values]) + end, now())


try:
    _greet()
    builtins.print = _print
    install()
    import main  # noqa: F401

    chip.power_off("repl")  # the program returned: a real board now shows its prompt
except Exception as error:  # standard output is the line to the host
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
