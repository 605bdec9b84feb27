# The simulated chip's heart: what happens in the world while virtual time passes.
#
# Two modes. Free-running: sleeping jumps. Paced: sleeping waits until the wall clock has caught up. Nothing but
# sleeping differs. Virtual time is the chip's own crystal; the world is rendered in it.

import json
import os
import sys

import costs
import micropython
import vtime
import world
from vtime import NEVER, draw, now

_path = sys.path
sys.path = ()
import time as wall  # the interpreter's own

sys.path = _path


class Chip:
    def __init__(self):
        with open(os.getenv("HBC_RIG_CONFIG")) as file:
            self.config = json.load(file)
        config = self.config
        self.paced = config["paced"]
        self.key = draw(config["seed"], 0x51ED)
        vtime.state[2] = self.key
        vtime.state[5] = config["ticks_at_boot_us"]
        vtime.state[6] = config["cost_scale"]
        self._stall_n = 0
        self._next_stall = 0
        self._next_stall = self._stall_after()
        self.stalls_n = 0
        self.levels = {}  # gpio -> level
        self.listeners = {}  # gpio -> list of functions (t_ns, level)
        self._timers = []
        self._queue = []  # scheduled callbacks, at most 8
        self.scheduled_dropped_n = 0
        self._busy = self._in_callback = False
        self.wires = {int(wire): gpio for wire, gpio in config["wires"].items()}
        self.world = world.World(config["world"])
        self.at_power_off = []
        self.paced_polls = ()
        self._origin_us = None  # wall clock at virtual time 0, set at the first sleep: importing takes wall time only
        vtime.wake[0] = self.catch_up
        self.catch_up()

    # --- time --------------------------------------------------------------------------------------------------------
    def sleep(self, ns):
        target = now() + ns
        while self._timers and self._next_timer_ns() <= target:
            vtime.skip(max(0, self._next_timer_ns() - now()))
        vtime.skip(max(0, target - now()))
        if self.paced:
            self._pace()

    def _pace(self):
        if self._origin_us is None:
            self._origin_us = wall.ticks_us() - now() // 1000
        while True:
            ahead_us = now() // 1000 - wall.ticks_diff(wall.ticks_us(), self._origin_us)
            for poll in self.paced_polls:
                poll()
            if ahead_us <= 0:
                return
            wall.sleep_us(min(ahead_us, 1000))

    def _stall_after(self):
        # From stall to stall, not from when one was noticed: paced and free-running runs then have the same stalls.
        self._stall_n += 1
        return self._next_stall + costs.STALL_EVERY // 2 + draw(self.key ^ 0x57A11, self._stall_n) % costs.STALL_EVERY

    # --- the world ---------------------------------------------------------------------------------------------------
    @micropython.native
    def catch_up(self):
        """Apply every event up to now, in order; fetch the world's next chunk when this one is over."""
        if self._busy:
            return
        self._busy = True
        depth = unlock()
        w = self.world
        while True:
            t = now()
            event_ns = w.next_event_ns()
            timer_ns = self._next_timer_ns()
            first_ns = min(event_ns, timer_ns)
            if first_ns <= t and first_ns < w.end_ns:
                if timer_ns < event_ns:
                    self._fire_timers(timer_ns)
                else:
                    wire, level = w.take_event()
                    self._drive(self.wires[wire], level, event_ns)
            elif t >= w.end_ns:
                if not w.load():
                    self.power_off()
            elif t >= self._next_stall:
                vtime.set_now(t + costs.STALL * vtime.state[6])
                self.stalls_n += 1
                self._next_stall = self._stall_after()
            else:
                break
        vtime.set_next(min(first_ns, w.end_ns, self._next_stall))
        relock(depth)
        self._busy = False
        self._run_scheduled()

    @micropython.native
    def _drive(self, gpio, level, t_ns):
        if self.levels.get(gpio, 0) == level:
            return
        self.levels[gpio] = level
        for listener in self.listeners.get(gpio, ()):
            listener(t_ns, level)

    def listen(self, gpio, listener):
        self.listeners.setdefault(gpio, []).append(listener)

    # --- soft interrupts: scheduled, late, and dropped when 8 wait (as on the ESP32 port) -----------------------------
    def schedule(self, callback, argument):
        if len(self._queue) >= 8:
            self.scheduled_dropped_n += 1
        else:
            self._queue.append((callback, argument))

    def _run_scheduled(self):
        # The firmware's code, so under the firmware's heap lock; only between two of its calls, never inside one,
        # and one after another: the world goes on while a callback takes its time.
        if self._in_callback:
            return
        self._in_callback = True
        while self._queue:
            depth = unlock()
            callback, argument = self._queue.pop(0)
            relock(depth)
            callback(argument)
        self._in_callback = False

    def add_timer(self, timer):
        self._timers.append(timer)
        vtime.state[13] = len(self._timers)
        self.catch_up()

    def remove_timer(self, timer):
        if timer in self._timers:
            self._timers.remove(timer)
        vtime.state[13] = len(self._timers)

    @micropython.native
    def _next_timer_ns(self):
        first = NEVER
        for timer in self._timers:
            if timer.due_ns < first:
                first = timer.due_ns
        return first

    def _fire_timers(self, due_ns):
        for timer in list(self._timers):
            if timer.due_ns == due_ns:
                self.schedule(timer.callback, timer)
                if timer.period_ns:
                    timer.due_ns += timer.period_ns
                else:
                    self.remove_timer(timer)

    # --- the end -----------------------------------------------------------------------------------------------------
    def power_off(self):
        report = {
            "interpreter": "micropython " + ".".join([str(part) for part in sys.implementation.version[:3]]),
            "virtual_s": self.world.end_ns / 1e9,
            "stalls_n": self.stalls_n,
            "scheduled_dropped_n": self.scheduled_dropped_n,
        }
        for finish in self.at_power_off:
            finish(report)
        with open(self.config["report"], "w") as file:
            json.dump(report, file)
        raise SystemExit(0)


def unlock():
    """Open the heap for the simulator's own work; returns how deep the firmware had locked it."""
    micropython.heap_lock()  # heap_unlock tells the depth, and must not go below zero
    depth = micropython.heap_unlock()
    for _ in range(depth):
        micropython.heap_unlock()
    return depth


def relock(depth):
    for _ in range(depth):
        micropython.heap_lock()


chip = Chip()
