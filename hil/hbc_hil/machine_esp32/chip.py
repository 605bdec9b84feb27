# The simulated chip's heart: what happens in the world while virtual time passes.
#
# Two modes. Free-running: sleeping jumps. Paced: sleeping waits until the wall clock has caught up. Nothing but
# sleeping differs. Virtual time is the chip's own crystal; the world is rendered in it.

import json
import os
import sys

import alarms
import costs
import layouts
import micropython
import vtime
import world
from vtime import NEVER, draw, now

_path = sys.path
sys.path = ()
import time as wall  # the interpreter's own

sys.path = _path


PEND_OVERHEAD_NS = 150000  # ports/esp32/mphalport.c: with less left than this, a delay serves no callbacks
RESET_CODE = 75  # tells the rig that the chip was reset (hbc_hil/rig_power.py)


class NoDevice:
    next_ns = NEVER


class Chip:
    def __init__(self):
        with open(os.getenv("HBC_RIG_CONFIG")) as file:
            self.config = json.load(file)
        config = self.config
        self.layout = layouts.LAYOUTS[config["chip"]]
        self.paced = config["paced"]
        self.boot = config["boot"]  # 0 is power-up, then one more at each reset
        self.key = draw(config["seed"], 0x51ED + self.boot)
        self.world = world.World(config["world"], config["drift_ppb"])
        # Virtual time goes on through a reset; ticks begin anew. A start on a whole microsecond keeps both in step.
        start_ns = (self.world.to_chip(config["start_ns"]) + 500) // 1000 * 1000
        vtime.set_now(start_ns)
        vtime.state[2] = self.key
        self.ticks_from_us = config["ticks_at_boot_us"] - start_ns // 1000
        vtime.state[5] = self.ticks_from_us & 0x3FFFFFFF
        vtime.state[6] = config["cost_scale"]
        self.alarms = alarms.Alarms(self, start_ns)
        self.levels = {int(gpio): level for gpio, level in config["levels"].items()}
        self.listeners = {}  # gpio -> list of functions (t_ns, level)
        self._timers = []
        self._interrupts_n = 0  # pins with a callback
        self._queue = []  # scheduled callbacks, at most 8
        self.scheduled_dropped_n = 0
        self._scheduled_n = 0
        self._busy = self._in_callback = self._held = False
        self.wires = {int(wire): gpio for wire, gpio in config["wires"].items()}
        self.device = NoDevice()  # what is wired to the chip and has a clock of its own (ads1292r.py)
        self.at_power_off = []
        self.at_reset = []
        self.paced_polls = ()
        self._origin_us = None  # wall clock at virtual time 0, set at the first sleep: importing takes wall time only
        vtime.wake[0] = self.catch_up
        self.catch_up()

    # --- time --------------------------------------------------------------------------------------------------------
    def sleep(self, ns):
        target = now() + ns
        while self._timers or self._interrupts_n:
            due_ns = min(self._next_timer_ns(), self.world.end_ns)
            if self._interrupts_n:
                due_ns = min(due_ns, self.world.next_event_ns())
            # The port serves callbacks while it waits, but not in the last moment (mp_hal_delay_us).
            if due_ns > target - PEND_OVERHEAD_NS:
                break
            vtime.skip(max(0, due_ns - now()))
        self.block(target - now())

    def block(self, ns):
        """Wait inside a driver: the world goes on, callbacks do not."""
        self._held = True
        vtime.skip(max(0, ns))
        self._held = False
        if self._queue:
            self._run_scheduled()
        if self.paced:
            self._pace()

    def _pace(self):
        if self._origin_us is None:
            self._origin_us = wall.ticks_us() - self.world.to_world(now()) // 1000
        while True:
            ahead_us = self.world.to_world(now()) // 1000 - wall.ticks_diff(wall.ticks_us(), self._origin_us)
            for poll in self.paced_polls:
                poll()
            if ahead_us <= 0:
                return
            wall.sleep_us(min(ahead_us, 1000))

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
            device_ns = self.device.next_ns
            first_ns = min(event_ns, timer_ns, device_ns)
            if first_ns <= t and first_ns < w.end_ns:
                if device_ns == first_ns:
                    self.device.happen()
                elif timer_ns < event_ns:
                    self._fire_timers(timer_ns)
                else:
                    wire, level = w.take_event()
                    self._drive(self.wires[wire], level, event_ns)
            elif t >= self.alarms.next_ns and self.alarms.next_ns < w.end_ns:
                self.alarms.happen(t)  # in order of time: a watchdog bites before the world ends
            elif t >= w.end_ns:
                if not w.load():
                    self.power_off("world")
            else:
                break
        vtime.set_next(min(first_ns, w.end_ns, self.alarms.next_ns))
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

    def drive_at(self, gpio, level, t_ns):
        """What a device does to its pin; the loop above serves what is scheduled."""
        self._drive(gpio, level, t_ns)

    def look_again(self):
        """A device has a new next_ns."""
        first_ns = min(self.device.next_ns, self.world.next_event_ns(), self._next_timer_ns())
        vtime.set_next(min(first_ns, self.world.end_ns, self.alarms.next_ns))

    def drive(self, gpio, level):
        """The chip's own output: what listens on that pin hears it, too."""
        self._drive(gpio, level, now())
        self._run_scheduled()

    def listen(self, gpio, listener):
        self.listeners.setdefault(gpio, []).append(listener)

    # --- soft interrupts: scheduled, late, and dropped when 8 wait (as on the ESP32 port) -----------------------------
    def schedule(self, callback, argument):
        self._scheduled_n += 1
        if len(self._queue) >= 8 or self.alarms.loses_callback(self._scheduled_n):
            self.scheduled_dropped_n += 1
        else:
            self._queue.append((callback, argument))

    def _run_scheduled(self):
        # The firmware's code, so under the firmware's heap lock; only between two of its calls, never inside one,
        # and one after another: the world goes on while a callback takes its time.
        if self._in_callback or self._held:
            return
        self._in_callback = True
        while self._queue:
            depth = unlock()
            callback, argument = self._queue.pop(0)
            relock(depth)
            vtime.charge(costs.CALLBACK)
            callback(argument)
        self._in_callback = False

    def add_timer(self, timer):
        self._timers.append(timer)
        self._count_soft()
        self.catch_up()

    def remove_timer(self, timer):
        if timer in self._timers:
            self._timers.remove(timer)
        self._count_soft()

    def _count_soft(self):
        vtime.state[13] = len(self._timers) + self._interrupts_n

    def interrupt(self, on):
        """One pin more, or less, that calls back."""
        self._interrupts_n += 1 if on else -1
        self._count_soft()

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
    def power_off(self, ended):
        """The last boot is over: "world" or "repl"."""
        unlock()
        end_ns = self.world.end_ns if ended == "world" else now()
        self._report({"ended": ended, "virtual_s": self.world.to_world(end_ns) / 1e9})
        raise SystemExit(0)

    def reset(self, cause, at_ns=None):
        """Boot again, in the same world: the rig starts the next interpreter with what it is told here."""
        unlock()
        if at_ns is not None:
            vtime.set_now(at_ns)  # it fell into the middle of what the firmware was at
        for drop in self.at_reset:
            drop()
        reset_ns = self.world.to_world(now())
        following = {
            "boot": self.boot + 1,
            "from_ns": reset_ns,
            "start_ns": self.world.to_world((now() + costs.BOOT) // 1000 * 1000),
            "reset_cause": cause,
            "levels": {str(gpio): self.levels[gpio] for gpio in self.wires.values() if gpio in self.levels},
        }
        self._report({"ended": "reset", "virtual_s": reset_ns / 1e9, "next_boot": following})
        raise SystemExit(RESET_CODE)

    def _report(self, report):
        report["interpreter"] = "micropython " + ".".join([str(part) for part in sys.implementation.version[:3]])
        report["stalls_n"] = self.alarms.stalls_n
        report["gc_pauses_n"] = self.alarms.gc_pauses_n
        report["scheduled_dropped_n"] = self.scheduled_dropped_n
        for finish in self.at_power_off:
            finish(report)
        with open(self.config["report"], "w") as file:
            json.dump(report, file)


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
