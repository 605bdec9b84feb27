# TriggerInput on a latch one deep, with edges falling between any two of its accesses.
#
# Prints what was taken, lost and due; asserted by tests/firmware/test_capture.py, which also runs mutated copies.

import sys
from array import array

import kit
from hbc_fw.devicetime import Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.trigger import TriggerInput


class Latch:
    """The driver's face, and what truly happened. Edges come at random just before an access."""

    CAN_WIDTH = False

    def __init__(self, seed, per_mille):
        self.random = kit.Random(seed)
        self.per_mille = per_mille
        self.halves = array("H", [0, 0])
        self.value = 0
        self.flag = False
        self.counter = 65_500 + seed  # wraps 16 bits soon
        self.edges = []  # [count, poll during which it came, seen by a read]
        self.polls_n = 0

    def edge(self):
        """One edge, 1 us or more after the one before."""
        self.value = (self.value + self.random.between(80, 1 << 24)) % (1 << 32)
        self.flag = True
        self.counter += 1
        self.edges.append([self.value, self.polls_n, False])

    def _access(self):
        while self.random.below(1000) < self.per_mille:
            self.edge()

    def latched(self):
        self._access()
        self.polls_n += 1
        return self.flag

    def read(self):
        self._access()
        self.halves[0] = self.value & 0xFFFF
        self.halves[1] = self.value >> 16
        if self.edges and self.edges[-1][0] == self.value:
            self.edges[-1][2] = True

    def clear(self):
        self._access()
        self.flag = False

    def count(self):
        self._access()
        return self.counter & 0xFFFF

    def level(self):
        return 1


class Plain:
    """Stands for the capture clock: the time of an edge is its count."""

    def locate(self, low, high, at):
        at.epoch = high
        at.ticks = low
        return 0


def run(seed, per_mille, rounds_n):
    """(edges taken, edges due, lost as the box says, edges never readable, lost although they could be polled)."""
    latch = Latch(seed, 0)
    for _ in range(3):
        latch.edge()  # before the box was ready: none of its business
    log = EventLog(4 * rounds_n)
    trigger = TriggerInput(latch, Plain(), Plain(), log)
    latch.edges = []
    latch.per_mille = per_mille
    for k in range(rounds_n):
        if trigger.pending():
            trigger.take()
        elif k % 5 == 0:
            trigger.audit()
    latch.per_mille = 0
    while trigger.pending():
        trigger.take()
    trigger.audit()
    at = Instant()
    taken = []
    for n in range(log.put_n):
        log.load(n, at)
        taken.append(at.epoch << 16 | at.ticks)
    return taken, latch.edges, trigger.lost_n


def busy_days():
    """Whether an edge is taken for recent: soon after it, and around every multiple of the wrap of ticks_us."""
    latch = Latch(1, 0)
    clock = Instant()
    trigger = TriggerInput(latch, Plain(), clock, EventLog(4))
    before = trigger.busy()
    latch.edge()
    trigger.take()
    at = Instant()
    at.epoch, at.ticks = latch.value >> 16, latch.value & 0xFFFF  # as Plain tells it
    found = []
    for wraps_n, off_us in ((0, -300), (0, 0), (0, 1_999_999), (0, 2_000_000), (1, -1_000), (1, 0), (1, 1_000), (5, 5)):
        clock.epoch, clock.ticks = at.epoch + wraps_n, at.ticks
        clock.add_signed(off_us)
        found.append(trigger.busy())
    return before, found


def in_order(taken, due):
    """True when what was taken is a part of what was due, each once, in order."""
    place = 0
    for count in taken:
        while place < len(due) and due[place][0] != count:
            place += 1
        if place == len(due):
            return False
        place += 1
    return True


def main(rounds_n):
    results = []
    plans = [(1, 0, rounds_n), (2, 5, rounds_n), (3, 30, rounds_n), (4, 120, rounds_n), (5, 400, rounds_n)]
    plans += [(20 + k, 500, 50) for k in range(12)]  # overruns while the pulse counter wraps
    for seed, per_mille, n in plans:
        taken, due, lost_n = run(seed, per_mille, n)
        known = set(taken)
        missed = [k for k in range(len(due)) if due[k][0] not in known]
        # An edge may be missed only when the next one came before the loop could have looked twice.
        avoidable = [k for k in missed if k + 1 == len(due) or due[k + 1][1] - due[k][1] > 1]
        results.append(
            {
                "per_mille": per_mille,
                "due_n": len(due),
                "taken_n": len(taken),
                "lost_n": lost_n,
                "in_order": in_order(taken, due),
                "avoidable_n": len(avoidable),
            }
        )
    before, found = busy_days()
    kit.done(runs=results, busy_before=before, busy=found)


main(int(sys.argv[1]))
