# What befalls the chip at times of its own: flash stalls, garbage collections, brown-outs, the watchdog.
#
# From stall to stall, not from when one was noticed: paced and free-running runs then have the same stalls.

import costs
import vtime
from vtime import NEVER, draw, now

PWRON_RESET = 1  # the ESP32 port calls a brown-out so, too: machine.reset_cause() cannot tell them apart
WDT_RESET = 3


class Pauses:
    """Moments at which everything stops for a while, drawn from half to one and a half of their mean distance."""

    def __init__(self, key, length_ns, every_ns, from_ns):
        self._key = key
        self.length_ns = length_ns
        self._every_ns = every_ns
        self.n = 0
        self.next_ns = from_ns if every_ns else NEVER
        if every_ns:
            self._draw()

    def _draw(self):
        self.next_ns += self._every_ns // 2 + draw(self._key, self.n + 1) % self._every_ns

    def happen(self, t_ns):
        vtime.set_now(t_ns + self.length_ns * vtime.state[6])
        self.n += 1
        self._draw()


class Alarms:
    """Knows the next thing that will happen by itself, and makes it happen."""

    def __init__(self, chip, from_ns):
        config = chip.config
        self._chip = chip
        stall_ns = costs.STALL if config["stall_us"] is None else config["stall_us"] * 1000
        every_ns = costs.STALL_EVERY if config["stall_every_us"] is None else config["stall_every_us"] * 1000
        self._stalls = Pauses(chip.key ^ 0x57A11, stall_ns, every_ns, from_ns)
        self._gcs = Pauses(chip.key ^ 0x6C0, config["gc_pause_us"] * 1000, config["gc_every_us"] * 1000, from_ns)
        # One that falls into a reset is over before the chip runs again.
        brownouts = [chip.world.to_chip(t_ns) for t_ns in config["brownouts_ns"]]
        self._brownout_ns = min([t_ns for t_ns in brownouts if t_ns > from_ns] + [NEVER])
        self._watchdog_ns = self._watchdog_every_ns = NEVER
        self._drop_key = chip.key ^ 0xD20
        self._drop_below = int(config["drop_callbacks"] * 0x7FFFFFFF)
        self.next_ns = 0
        self._look()

    @property
    def stalls_n(self):
        return self._stalls.n

    @property
    def gc_pauses_n(self):
        return self._gcs.n

    def _look(self):
        self.next_ns = min(self._stalls.next_ns, self._gcs.next_ns, self._brownout_ns, self._watchdog_ns)

    def watch(self, timeout_ns):
        """Start the watchdog; it cannot be stopped."""
        self._watchdog_every_ns = timeout_ns
        self.feed()
        self._look()
        self._chip.catch_up()

    def feed(self):
        # The alarm that was set for the earlier moment will find that it has moved.
        self._watchdog_ns = now() + self._watchdog_every_ns

    def happen(self, t_ns):
        if t_ns >= self._brownout_ns:
            self._chip.reset(PWRON_RESET, self._brownout_ns)
        if t_ns >= self._watchdog_ns:
            self._chip.reset(WDT_RESET, self._watchdog_ns)
        if t_ns >= self._stalls.next_ns:
            self._stalls.happen(t_ns)
        elif t_ns >= self._gcs.next_ns:
            self._gcs.happen(t_ns)
        self._look()

    def loses_callback(self, index):
        return self._drop_below > 0 and draw(self._drop_key, index) < self._drop_below
