# `machine` of the ESP32 port as far as hbc_boards uses it, on the simulated chip.

import sys

import costs
import micropython
from chip import chip, relock, unlock
from line import line
from mcpwm import capture  # noqa: F401 - the capture unit exists whether or not a driver is loaded
from vtime import charge, draw, now, poll_due

PWRON_RESET = 1
HARD_RESET = 2


def unique_id():
    return bytes(chip.config["unique_id"])


def reset_cause():
    return chip.config["reset_cause"]


def freq():
    return 240000000


def reset():
    """A real chip boots again; the rig ends here and shows why."""
    unlock()
    try:
        with open("crash.txt") as file:
            sys.stderr.write(file.read())
    except OSError:
        sys.stderr.write("machine.reset()\n")
    line.flush()
    sys.exit(71)


class Pin:
    IN = 1
    OUT = 3
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, gpio, mode=-1, pull=-1, value=None):
        self.gpio = gpio
        if value is not None:
            chip.levels[gpio] = value

    @micropython.native
    def value(self, level=None):
        charge(costs.PIN_VALUE)
        if level is None:
            return chip.levels.get(self.gpio, 0)
        chip.levels[self.gpio] = level

    def irq(self, handler, trigger=3):
        def listener(t_ns, level):
            if trigger & (1 if level else 2):
                chip.schedule(handler, self)

        chip.listen(self.gpio, listener)


class ADC:
    """12-bit one-shot reads with noise, integral non-linearity and compression near the top of the 11 dB range."""

    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_11DB):
        if pin.gpio != chip.config["ecg_gpio"]:
            raise ValueError("no analogue wire on GPIO %d" % pin.gpio)
        self._read_n = 0
        self._key = draw(chip.key, 0xADC)
        self._noise = chip.config["adc_noise_lsb"] * 16
        self._curve = bytearray([128 + _inl_lsb_q4(16 * i) for i in range(256)])

    @micropython.native
    def read_u16(self):
        self._read_n += 1
        noise = noise_q4(self._key, self._read_n, self._noise)
        raw = convert(chip.world.pin_units(now() + costs.ADC_SAMPLE_AT), noise, self._curve)
        charge(costs.ADC_READ)
        return raw << 4 | raw >> 8


@micropython.viper
def noise_q4(key: int, index: int, sd_q4: int) -> int:
    """Sum of four uniform bytes: nearly a bell, sd 147.8 before scaling."""
    x = int(draw(key, index))
    y = (x * 0x2C1B3C6D ^ (x >> 7)) & 0x7FFFFFFF
    bell = (x & 0xFF) + ((x >> 8) & 0xFF) + ((y >> 8) & 0xFF) + ((y >> 16) & 0xFF) - 510
    return (bell * sd_q4 + 148 * 4096) // 148 - 4096  # floor division of a positive number


@micropython.viper
def convert(units: int, noise: int, curve: ptr8) -> int:
    """12 bits from units of 62.5 / 16 uV (844800 of them are 3.3 V); everything in sixteenths of a count."""
    value = units * 65520 // 844800 + noise
    if value < 0:
        value = 0
    if value > 65519:
        value = 65519
    value = value + int(curve[value >> 8]) - 128
    if value < 0:
        value = 0
    value = value >> 4
    return value if value < 4096 else 4095


def _inl_lsb_q4(lsb):
    """Deviation in sixteenths of a count: a slow wave of +-3 counts, sagging below the line above 2.6 V."""
    phase = lsb % 1365
    wave = phase if phase < 341 else 682 - phase if phase < 1023 else phase - 1365
    sag = max(0, lsb - 3226) * 40 // 869
    return wave * 3 * 16 // 341 - min(sag, 60)


class UART:
    """115200 8N1 and a transmit ring: a write that does not fit waits in virtual time."""

    def __init__(self, uart, baudrate=115200, tx=-1, rx=-1, txbuf=256, rxbuf=256, timeout=0, **_):
        if uart == 0:
            raise ValueError("UART buffer size is fixed")  # it carries the REPL
        self._byte_ns = 10000000000 // baudrate
        self._room_n = txbuf + 128  # ring and hardware FIFO
        self._rxbuf_n = rxbuf
        self._idle_from = 0
        self._pending = []
        self.rx_dropped_n = 0
        self.blocked_ns = 0
        chip.at_power_off.append(self._tell)
        if chip.paced:
            chip.paced_polls = (self._release, line.poll)

    def _tell(self, report):
        for t_ns, data in self._pending:
            line.send(t_ns, data, len(data))
        line.flush()
        report["uart_blocked_us"] = self.blocked_ns // 1000
        report["uart_rx_dropped_n"] = self.rx_dropped_n

    @micropython.native
    def write(self, buf, n=None):
        if n is None:
            n = len(buf)
        charge(costs.UART_WRITE + costs.UART_WRITE_BYTE * n)
        if self._idle_from < now():
            self._idle_from = now()
        over_ns = self._idle_from - now() + (n - self._room_n) * self._byte_ns
        if over_ns > 0:
            self.blocked_ns += over_ns
            chip.sleep(over_ns)
        self._idle_from += n * self._byte_ns
        if chip.paced:
            depth = unlock()
            self._pending.append((self._idle_from, bytes(memoryview(buf)[:n])))
            relock(depth)
        else:
            line.send(self._idle_from, buf, n)
        return n

    def _release(self):
        """Paced: bytes reach the outside when they have left the pin, not before."""
        if self._pending and self._pending[0][0] <= now():
            depth = unlock()
            while self._pending and self._pending[0][0] <= now():
                t_ns, data = self._pending.pop(0)
                line.send(t_ns, data, len(data))
            line.flush()
            relock(depth)

    @micropython.native
    def any(self):
        if poll_due(costs.UART_ANY):
            line.poll()
        return len(line.received)

    def readinto(self, buf, n=None):
        charge(costs.UART_READ)
        waiting = line.received
        if not waiting:
            return None
        depth = unlock()
        if len(waiting) > self._rxbuf_n:
            self.rx_dropped_n += len(waiting) - self._rxbuf_n
            waiting = waiting[: self._rxbuf_n]
        n = min(len(buf), len(waiting))
        buf[:n] = waiting[:n]
        line.received = waiting[n:]
        relock(depth)
        return n


class Counter:
    """PCNT: counts edges on a pin, whatever the processor does."""

    RISING = 1
    FALLING = 2

    def __init__(self, unit, src=None, edge=1, **_):
        self._n = 0
        chip.listen(src.gpio, lambda t_ns, level: self._edge(edge, level))

    def _edge(self, edge, level):
        if edge & (1 if level else 2):
            self._n += 1

    @micropython.native
    def value(self):
        charge(costs.COUNTER_VALUE)
        return self._n


class Timer:
    """Soft timer: its callback is scheduled, late when the firmware is busy, dropped when 8 wait."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, unit=-1):
        self.callback = None
        self.period_ns = 0
        self.due_ns = 0

    def init(self, mode=PERIODIC, freq=-1, period=-1, callback=None):
        self.deinit()
        period_ns = 1000000000 // freq if freq > 0 else period * 1000000
        self.callback = callback
        self.period_ns = period_ns if mode == self.PERIODIC else 0
        self.due_ns = now() + period_ns
        chip.add_timer(self)

    def deinit(self):
        chip.remove_timer(self)
