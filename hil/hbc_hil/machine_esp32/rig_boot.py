# What the rig starts instead of main.py: charges the firmware's own computing, then powers the box up.
#
# The firmware is not touched: its methods are wrapped from outside, as a debugger would.

import gc
import sys

import costs
import micropython
from vtime import charge


def _charged(method, ns):
    # One wrapper an arity: star arguments would allocate under the firmware's heap lock, and so would a closure
    # whose cells and arguments together are more than five.
    what = (ns, method)

    @micropython.native
    def none(self):
        charge(what[0])
        return what[1](self)

    @micropython.native
    def two(self, a, b):
        charge(what[0])
        return what[1](self, a, b)

    @micropython.native
    def three(self, a, b, c):
        charge(what[0])
        return what[1](self, a, b, c)

    return none, two, three


_WRAPPER = {"step": 0, "take": 0, "mark": 1, "_send": 1, "push_block": 2}  # index into what _charged returns


class _Heap:
    """Stands for `gc` in the app: the heap here is the PC's and holds the simulator too, so how much of it is free
    says nothing about a box and differs from run to run."""

    MEM_FREE_BYTES = 110000  # what an ESP32 has left after boot, roughly; not measured on silicon

    def collect(self):
        gc.collect()

    def mem_free(self):
        return self.MEM_FREE_BYTES


def install():
    __import__("hbc_fw.app", None, None, ("gc",)).gc = _Heap()
    for module_name, class_name, method_name, ns in costs.METHODS:
        module = __import__(module_name, None, None, (class_name,))
        cls = getattr(module, class_name)
        wrappers = _charged(getattr(cls, method_name), ns)
        setattr(cls, method_name, wrappers[_WRAPPER[method_name]])


try:
    install()
    import main  # noqa: F401
except Exception as error:  # standard output is the line to the host
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
