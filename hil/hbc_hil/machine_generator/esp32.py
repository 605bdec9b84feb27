# `esp32` of the ESP32 port as far as the generator uses it: the pulse unit (RMT), transmitting.
#
# As ports/esp32/esp32_rmt.c and ESP-IDF's rmt_tx driver describe it: durations of 1..32767 ticks, a list at a time, a
# list behind a running one waits for it, the idle level afterwards. The first edge comes some microseconds after the
# call, not known to the firmware better than by the time before and after. What a list costs is an estimate.

from chip import chip
from vtime import charge, draw, now

WRITE_NS = 40000  # setting a transmission up, not measured on silicon
WRITE_ENTRY_NS = 600  # each entry of the list: two small integers taken out of Python lists
START_NS = 8000  # from the driver's start to the first level on the pin, and up to as much again
_levels = {}  # gpio -> level that its output has, or will have when what was told is over


class RMT:
    PULSE_MAX = 32767

    def __init__(self, channel=None, *, pin, resolution_hz=10000000, clock_div=None, idle_level=False, num_symbols=64):
        if clock_div is not None:
            resolution_hz = 80000000 // clock_div
        if 1000000000 % resolution_hz:
            raise ValueError("a tick of %d Hz is not a whole number of nanoseconds" % resolution_hz)
        self._tick_ns = 1000000000 // resolution_hz
        self._gpio = pin.gpio
        self._idle = 1 if idle_level else 0
        self._until_ns = 0
        self._n = 0
        self._level_at(now(), self._idle)

    def _level_at(self, t_ns, level):
        if level != _levels.get(self._gpio, 0):
            _levels[self._gpio] = level
            chip.world.edges([(t_ns, level)])

    def active(self, value=None):
        charge(3000)
        if value is False and now() < self._until_ns:
            chip.world.cut_edges(now())
            self._until_ns = now()
            _levels[self._gpio] = -1  # whatever it was
            self._level_at(now(), self._idle)
        return now() < self._until_ns

    def wait_done(self, timeout=0):
        return not self.active()

    def deinit(self):
        self.active(False)

    def write_pulses(self, duration, data=True):
        n = len(duration)
        if isinstance(data, (list, tuple)):
            levels = data
            if len(levels) != n:
                raise ValueError("durations and levels differ in number")
        else:
            first = 1 if data else 0
            levels = [first ^ (k & 1) for k in range(n)]
        for ticks in duration:
            if not 1 <= ticks <= self.PULSE_MAX:
                raise ValueError("a duration of %d is outside 1 to %d" % (ticks, self.PULSE_MAX))
        if now() < self._until_ns:
            chip.sleep(self._until_ns - now())
        charge(WRITE_NS + WRITE_ENTRY_NS * n)
        self._n += 1
        t_ns = now() + START_NS + draw(chip.key ^ 0x2317, self._n) % START_NS
        for k in range(n):
            self._level_at(t_ns, 1 if levels[k] else 0)
            t_ns += duration[k] * self._tick_ns
        self._level_at(t_ns, self._idle)
        self._until_ns = t_ns
        charge(START_NS * 2)
