# TriggerInput with minimum width and hold-off, on a pin with pulses, runts and bounces in continuous time.
#
# Each access of the box takes time, during which the pin moves on; both latches are one deep. Prints, for each plan,
# what the box made of the pulses beside what a plain reading of the rules makes of them; asserted by test_capture.py.
# Times in counts of 12.5 ns.
# ruff: noqa: UP031, C419 - MicroPython; no generator is faster than a list there

import sys
from array import array

import kit
from hbc_fw.devicetime import Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.trigger import TriggerInput

US = 80
WRAP = 1 << 32


class Pin:
    """Driver and clocks in one: pulses as (rise, fall), all times from one counter that wraps in mid-test."""

    CAN_WIDTH = True

    def __init__(self, seed, pulses):
        self.random = kit.Random(seed)
        self.pulses = pulses
        self.halves = array("H", [0, 0])
        self.now = pulses[0][0] - 5000 * US
        self.events = sorted([(rise, 1) for rise, _ in pulses] + [(fall, 0) for _, fall in pulses])
        self.event_i = 0
        self.rise = self.fall = 0
        self.flag = False
        self.counter = 65_500
        self.slow = 1

    def pass_by(self, counts):
        self.now += counts
        while self.event_i < len(self.events) and self.events[self.event_i][0] <= self.now:
            at, level = self.events[self.event_i]
            self.event_i += 1
            if level:
                self.rise = at
                self.flag = True
                self.counter += 1
            else:
                self.fall = at

    def _access(self):
        self.pass_by(self.slow * self.random.between(80, 400))

    def _show(self, count):
        self.halves[0] = count & 0xFFFF
        self.halves[1] = (count >> 16) & 0xFFFF

    def latched(self):
        self._access()
        return self.flag

    def read(self):
        self._access()
        self._show(self.rise)

    def read_fall(self):
        self._access()
        self._show(self.fall)

    def clear(self):
        self._access()
        self.flag = False

    def count(self):
        self._access()
        return self.counter & 0xFFFF

    def level(self):
        return 1

    # --- the clocks: device time is the counter, unwrapped, a bracket of a few microseconds off ---------------------
    def locate(self, low, high, at):
        count = high << 16 | low
        count += (self.now - count + WRAP // 2) // WRAP * WRAP  # the one nearest to the present
        self._set(at, count // US)
        return count % US

    def since(self, at):
        return self.now // US + 3 - (at.epoch * (1 << 30) + at.ticks)

    def _set(self, at, us):
        at.epoch, at.ticks = us >> 30, us & ((1 << 30) - 1)


def calm(random, n, first):
    """Pulses far apart: each is seen to end before the next. Widths around 100 us, bounces after some."""
    pulses = []
    at = first
    for _ in range(n):
        at += random.between(3_000, 25_000) * US + random.below(80)
        width = random.between(2, 300) * US + random.below(80)
        pulses.append((at, at + width))
        at += width
    return pulses


def storm(random, n, first):
    """Pulses of any width at any distance."""
    pulses = []
    at = first
    for _ in range(n):
        at += (random.between(1, 50), random.between(20, 3_000), random.between(1_000, 30_000))[random.below(3)] * US
        width = (random.between(1, 20), random.between(20, 400))[random.below(2)] * US + random.below(80)
        pulses.append((at, at + width))
        at += width
    return pulses


def by_rule(pulses, min_width_us, hold_off_us):
    """(numbered rises, runts, held off), by reading the rules aloud."""
    numbered, runts_n, held_off_n = [], 0, 0
    for rise, fall in pulses:
        if fall - rise < min_width_us * US:
            runts_n += 1
        elif numbered and rise // US - numbered[-1] // US < hold_off_us:
            held_off_n += 1
        else:
            numbered.append(rise)
    return numbered, runts_n, held_off_n


def pairs(random, n, first):
    """A runt, and before it could have been wide a pulse that is: the box may see the fall of the second one only."""
    pulses = []
    at = first
    for _ in range(n // 2):
        at += random.between(3_000, 6_000) * US + random.below(80)
        pulses += [(at, at + 20 * US), (at + 70 * US, at + 250 * US)]
    return pulses


def wrapped(first):
    """A wide pulse which rises so that the fall of the one before, a wrap of the counter ago, seems to be its own."""
    return [(first, first + 200 * US), (first + WRAP + 150 * US, first + WRAP + 90_000 * US)]


def drive(pin, trigger, settings, nap_us):
    """The loop: edges first, then what waits, an audit every 50 ms, naps up to 0.5 ms; settings change on the way."""
    audit_at = 0
    end = pin.events[-1][0] + 100_000 * US
    while pin.now < end:
        if pin.now >= audit_at:
            audit_at = pin.now + 50_000 * US
            trigger.audit()
        if trigger.pending():
            trigger.take()
        if trigger.waits:
            trigger.decide()
        pin.pass_by(pin.random.between(0, nap_us * US))
        if settings and pin.event_i > settings[0][0]:
            _, min_width_us, trigger.hold_off_us = settings.pop(0)
            trigger.set_min_width(min_width_us)
    trigger.audit()
    trigger.audit()


def run(seed, pulses, settings, slow=1, nap_us=500):
    """One plan; settings: rows of (after this many events, min_width_us, hold_off_us), the first at once."""
    pin = Pin(seed, pulses)
    pin.slow = slow
    log = EventLog(len(pulses) + 1)
    trigger = TriggerInput(pin, pin, pin, log)
    _, first_width_us, trigger.hold_off_us = settings[0]
    trigger.set_min_width(first_width_us)
    drive(pin, trigger, list(settings[1:]), nap_us)
    at = Instant()
    taken = []
    for n in range(log.put_n):
        log.load(n, at)
        taken.append((at.epoch * (1 << 30) + at.ticks) * US + log.low(n))
    numbered, runts_n, held_off_n = by_rule(pulses, first_width_us, settings[0][2])
    width = {rise: fall - rise for rise, fall in pulses}
    narrow = [rise for rise in taken if width.get(rise, 0) < first_width_us * US]
    true_runts_n = sum([1 for rise, fall in pulses if fall - rise < first_width_us * US])
    return {
        "pulses_n": len(pulses),
        "numbered_n": len(taken),
        "runts_n": trigger.runts_n,
        "held_off_n": trigger.held_off_n,
        "lost_n": trigger.lost_n,
        "as_the_rule_says": [taken == numbered, trigger.runts_n == runts_n, trigger.held_off_n == held_off_n],
        "real": all([rise in width for rise in taken]) and taken == sorted(taken),
        "narrow_but_numbered_n": len(narrow),
        "true_runts_n": true_runts_n,
        "by_rule": [len(numbered), runts_n, held_off_n],
    }


CALM = (("both off", 0, 0), ("width", 100, 0), ("hold-off", 0, 20_000), ("both", 150, 12_345), ("1 ms", 299, 0))
STORM = ((0, 0, 1), (50, 0, 1), (1000, 0, 1), (0, 5_000, 1), (200, 20_000, 1), (50, 500, 8))


def main(n):
    random = kit.Random(11)
    first = WRAP - 20_000_000 * US  # the counter wraps on the way
    calm_runs = {}
    for k, (name, width_us, hold_off_us) in enumerate(CALM):
        calm_runs[name] = run(3 + k, calm(random, n, first), [(0, width_us, hold_off_us)])
    calm_runs["a wrap apart"] = run(9, wrapped(first), [(0, 100, 0)], nap_us=20_000)
    pair_run = run(17, pairs(random, n, first), [(0, 100, 0)])
    storm_runs = {}
    for k, (width_us, hold_off_us, slow) in enumerate(STORM):
        name = "%d us, %d us, x%d" % (width_us, hold_off_us, slow)
        storm_runs[name] = run(40 + k, storm(random, n, first), [(0, width_us, hold_off_us)], slow)
    changes = [(k * n // 40, (k * 37) % 120, (k % 3) * 700) for k in range(80)]
    kit.done(calm=calm_runs, pairs=pair_run, storm=storm_runs, changed=run(90, storm(random, n, first), changes))


main(int(sys.argv[1]))
