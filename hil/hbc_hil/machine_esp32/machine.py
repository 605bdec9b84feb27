# `machine` of the ESP32 port as far as hbc_boards uses it, on the simulated chip.

import ads1292r  # noqa: F401 - on the SPI pins, when the box has one
import costs
import micropython
from adc import ADC  # noqa: F401
from chip import chip, relock, unlock
from line import line
from mcpwm import capture  # noqa: F401 - the capture unit exists whether or not a driver is loaded
from pins import Counter, Pin  # noqa: F401
from spi import SPI  # noqa: F401
from vtime import charge, now, poll_due

UART_ANY = costs.UART_ANY  # asked thousands of times a second: names at hand are found fastest
length = len

if not chip.layout.mcpwm:
    del Counter  # the ESP32-C3 has no PCNT either, so its MicroPython has no Counter

PWRON_RESET = 1
HARD_RESET = 2


def unique_id():
    return bytes(chip.config["unique_id"])


def reset_cause():
    return chip.config["reset_cause"]


def freq():
    return chip.layout.freq_hz


def reset():
    unlock()
    chip.reset(HARD_RESET)


class WDT:
    """The task watchdog: not fed in time, it resets the chip. Once started it cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        if id != 0 or timeout <= 0:
            raise ValueError("WDT id or timeout")
        chip.alarms.watch(timeout * 1000000)

    @micropython.native
    def feed(self):
        charge(costs.WDT_FEED)
        chip.alarms.feed()


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
        chip.at_reset.append(self._cut)
        if chip.paced:
            chip.paced_polls = (self._release, line.poll)

    def _tell(self, report):
        for t_ns, data in self._pending:
            line.send(t_ns, data, len(data))
        line.flush()
        report["uart_blocked_us"] = self.blocked_ns // 1000
        report["uart_rx_dropped_n"] = self.rx_dropped_n

    def _cut(self):
        for t_ns, data in self._pending:  # paced: the one on its way leaves in part
            left_n = len(data) - (t_ns - now()) // self._byte_ns - 1
            if left_n > 0:
                line.send(now(), data, min(left_n, len(data)))
        self._pending = []

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
            chip.block(over_ns)
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
        if poll_due(UART_ANY):
            line.poll()
        return length(line.received)

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


class Timer:
    """Soft timer: its callback is scheduled, late when the firmware is busy, dropped when 8 wait."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, unit=-1):
        self.callback = None
        self.period_ns = 0
        self.due_ns = 0

    def init(self, mode=PERIODIC, freq=-1, period=-1, tick_hz=1000, callback=None):
        self.deinit()
        period_ns = 1000000000 // freq if freq > 0 else period * 1000000000 // tick_hz
        self.callback = callback
        self.period_ns = period_ns if mode == self.PERIODIC else 0
        self.due_ns = now() + period_ns
        chip.add_timer(self)

    def deinit(self):
        chip.remove_timer(self)
