# Pins with their pulls and interrupts, the pulse counter, and what the LED did.

import costs
import micropython
from chip import chip, relock, unlock
from diary import Diary
from vtime import charge, now


class Pin:
    IN = 1
    OUT = 3
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2
    _handlers = {}  # gpio -> [handler, trigger]: one a pin, as on the port

    def __init__(self, gpio, mode=-1, pull=-1, value=None):
        if gpio not in chip.layout.gpios:
            raise ValueError("invalid pin %d" % gpio)
        if mode == self.OUT and gpio in chip.layout.inputs_only:
            raise ValueError("pin %d can only be input" % gpio)
        self.gpio = gpio
        # A wire of the world is driven from outside, whatever the pull.
        if pull in (self.PULL_UP, self.PULL_DOWN) and gpio not in chip.wires.values():
            chip.levels[gpio] = 1 if pull == self.PULL_UP else 0
        if value is not None:
            chip.drive(gpio, value)

    @micropython.native
    def value(self, level=None):
        charge(costs.PIN_VALUE)
        if level is None:
            return chip.levels.get(self.gpio, 0)
        if chip.levels.get(self.gpio, 0) != level:
            self._set(level)

    def _set(self, level):
        depth = unlock()
        leds.seen(self.gpio, level)
        chip.drive(self.gpio, level)
        relock(depth)

    def irq(self, handler=None, trigger=3):
        mine = self._handlers.get(self.gpio)
        if mine is None:
            mine = self._handlers[self.gpio] = [None, 0, self]
            chip.listen(self.gpio, lambda t_ns, level: self._called(mine, level))
        if (mine[0] is None) != (handler is None):
            chip.interrupt(handler is not None)
        mine[0], mine[1], mine[2] = handler, trigger, self

    def _called(self, mine, level):
        if mine[0] is not None and mine[1] & (1 if level else 2):
            chip.schedule(mine[0], mine[2])


class Leds:
    """Writes down what the LED did, for the report."""

    CHANGES_N = 4096

    def __init__(self):
        self._gpio = chip.config["led_gpio"]
        self._changes_n = 0
        self._diary = Diary("led")  # [world nanoseconds, level]

    def seen(self, gpio, level):
        if gpio == self._gpio and self._changes_n < self.CHANGES_N:
            self._changes_n += 1
            self._diary.add([chip.world.to_world(now()), level])


leds = Leds()


class Counter:
    """PCNT: counts edges on a pin, whatever the processor does."""

    RISING = 1
    FALLING = 2

    _units = {}  # unit -> Counter: asking for one again configures the same hardware anew
    _chosen = (None, 0)

    def __new__(cls, unit, *_, **__):
        if unit not in cls._units:
            cls._units[unit] = object.__new__(cls)
        return cls._units[unit]

    def __init__(self, unit, src=None, edge=1, filter_ns=0):
        if not 0 <= filter_ns <= 12787:
            raise ValueError("the filter's counter has 10 bits of 12.5 ns")
        gpio = src.gpio
        self._n = 0
        self._filter_ns = filter_ns
        self._last = [0, chip.levels.get(gpio, 0)]  # since when, which level
        chosen = self._chosen = (gpio, edge)
        chip.listen(gpio, lambda t_ns, level: self._chosen is chosen and self._edge(t_ns, level))

    def _edge(self, t_ns, level):
        # A level that does not outlast the filter never was: neither its beginning nor its end counts.
        edge = self._chosen[1]
        since_ns, before = self._last
        self._last = [t_ns, level]
        if self._filter_ns and t_ns - since_ns < self._filter_ns:
            if edge & (1 if before else 2):
                self._n -= 1
            return
        if edge & (1 if level else 2):
            self._n += 1

    @micropython.native
    def value(self):
        charge(costs.COUNTER_VALUE)
        return self._n
