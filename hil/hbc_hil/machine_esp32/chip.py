# The simulated chip's heart: virtual time, charged by every call, and the world that happens meanwhile.
#
# Two modes. Free-running: sleeping jumps. Paced: sleeping waits until the wall clock has caught up. Nothing but
# sleeping differs. Virtual time is the chip's own crystal; the world is rendered in it.

import json
import micropython
import os
import sys

import costs
import world

_path = sys.path
sys.path = ()
import time as wall  # the interpreter's own

sys.path = _path

NEVER = 1 << 61


@micropython.viper
def draw(key: int, index: int) -> int:
    # Uniform 31 bits from (key, index): two rounds of multiply and shift, whatever was drawn before.
    x = (key ^ (index * 0x1E3779B1)) & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x2C1B3C6D) & 0x7FFFFFFF
    x = ((x ^ (x >> 13)) * 0x297A2D39) & 0x7FFFFFFF
    return x ^ (x >> 15)



class Chip:
    def __init__(self):
        with open(os.getenv("HBC_RIG_CONFIG")) as file:
            self.config = json.load(file)
        config = self.config
        self.now = 0  # virtual ns since power-up
        self.paced = config["paced"]
        self.scale = config["cost_scale"]
        self.boot_ns = config["ticks_at_boot_us"] * 1000
        self.key = draw(config["seed"], 0x51ED)
        self._calls_n = 0
        self._stall_n = 0
        self.next_stall = self._stall_gap()
        self.stalls_n = 0
        self.levels = {}  # gpio -> level
        self.listeners = {}  # gpio -> list of functions (t_ns, level)
        self._timers = []
        self._queue = []  # scheduled callbacks, at most 8
        self.scheduled_dropped_n = 0
        self._running = False
        self.wires = {int(wire): gpio for wire, gpio in config["wires"].items()}
        self.world = world.World(config["world"])
        self.at_power_off = []
        self._origin_us = wall.ticks_us()
        self.next_event = 0
        self.catch_up()

    # --- time --------------------------------------------------------------------------------------------------------
    def charge(self, ns):
        """Let a call take its time, with jitter; what happens in the world meanwhile happens."""
        if self.scale != 1:
            ns *= self.scale
        self._calls_n += 1
        self.now += ns + ((draw(self.key, self._calls_n) & 0xFF) * ns >> 10)
        if self.now >= self.next_stall:
            self._stall()
        if self.now >= self.next_event:
            self.catch_up()

    def sleep(self, ns):
        target = self.now + ns
        if self._timers:
            while self.next_event <= target:
                self.now = max(self.now, self.next_event)
                self.catch_up()
        if target > self.now:
            self.now = target
        if self.now >= self.next_event:
            self.catch_up()
        if self.paced:
            self._pace()

    def _pace(self):
        while True:
            ahead_us = self.now // 1000 - wall.ticks_diff(wall.ticks_us(), self._origin_us)
            for poll in self.paced_polls:
                poll()
            if ahead_us <= 0:
                return
            wall.sleep_us(min(ahead_us, 1000))

    paced_polls = ()

    def _stall_gap(self):
        self._stall_n += 1
        return self.now + costs.STALL_EVERY // 2 + draw(self.key ^ 0x57A11, self._stall_n) % costs.STALL_EVERY

    def _stall(self):
        self.now += costs.STALL * self.scale
        self.stalls_n += 1
        self.next_stall = self._stall_gap()

    # --- the world ---------------------------------------------------------------------------------------------------
    def catch_up(self):
        """Apply every event up to now, in order; fetch the world's next chunk when this one is over."""
        depth = unlock()
        w = self.world
        while True:
            event_ns = w.next_event_ns()
            timer_ns = self._next_timer_ns()
            if min(event_ns, timer_ns) <= self.now and min(event_ns, timer_ns) < w.end_ns:
                if timer_ns < event_ns:
                    self._fire_timer(timer_ns)
                else:
                    wire, level = w.take_event()
                    self._drive(self.wires[wire], level, event_ns)
            elif self.now >= w.end_ns:
                if not w.load():
                    self.power_off()
            else:
                break
        self.next_event = min(event_ns, timer_ns, w.end_ns)
        relock(depth)
        if self._queue and not self._running:
            self._run_scheduled()

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
        # The firmware's code, so under the firmware's heap lock; only between two of its calls, never inside one.
        self._running = True
        while self._queue:
            depth = unlock()
            callback, argument = self._queue.pop(0)
            relock(depth)
            callback(argument)
        self._running = False

    def add_timer(self, timer):
        self._timers.append(timer)
        self.next_event = min(self.next_event, timer.due_ns)

    def remove_timer(self, timer):
        if timer in self._timers:
            self._timers.remove(timer)

    def _next_timer_ns(self):
        first = NEVER
        for timer in self._timers:
            if timer.due_ns < first:
                first = timer.due_ns
        return first

    def _fire_timer(self, due_ns):
        for timer in list(self._timers):
            if timer.due_ns == due_ns:
                self.schedule(timer.callback, timer)
                if timer.period_ns:
                    timer.due_ns += timer.period_ns
                else:
                    self._timers.remove(timer)

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
