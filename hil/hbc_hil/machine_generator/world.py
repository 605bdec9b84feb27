# Shadows machine_esp32/world.py on the generator's chip: there the world is what the chip puts out, not what it feels.
#
# Pulses of the RMT and steps of the DAC become the stream that hbc_hil/world.py describes, which the box's chip reads.
# A chunk is written when this chip's time has passed its end, so the box can never see a time that is still open; the
# pipe blocks this chip in wall time when the box is slow.

import json
import os
import struct
from array import array

import micropython

RATE_HZ = 4000
STEP_NS = 1000000000 // RATE_HZ
CHUNK_N = RATE_HZ // 4
CHUNK_NS = CHUNK_N * STEP_NS
UNIT_UV = 62.5
FULL_SCALE_UV = 3300000
WIRE_TRIGGER = 0
NEVER = 1 << 61


@micropython.viper
def _fill(samples: ptr16, first: int, last: int, value: int):
    for i in range(first, last):
        samples[i] = value


class World:
    """The chip asks it for chunks of an empty world; each time, one chunk of what the chip did meanwhile is written.

    The stream runs in the world's time, the chip in its crystal's: start_ns and end_ns are the chip's.
    """

    def __init__(self, path, drift_ppb=0):
        self._drift_ppb = drift_ppb
        self._world_ns = 0  # where the open chunk begins
        with open(os.getenv("HBC_RIG_CONFIG")) as file:
            self._duration_ns = json.load(file)["duration_ns"]
        self._path = path
        self._file = None
        self._samples = array("H", [0] * (CHUNK_N + 1))
        self._filled_n = 0
        self._units = 0  # in force at the DAC
        self._events = []  # (t_ns, wire, level), some of them still to come
        self.start_ns = 0
        self.end_ns = 0

    def to_chip(self, world_ns):
        """World time to the chip's: a positive drift is a crystal that runs fast."""
        return world_ns + world_ns * self._drift_ppb // 1000000000

    def to_world(self, chip_ns):
        return chip_ns - chip_ns * self._drift_ppb // (1000000000 + self._drift_ppb)

    # --- what the chip's own loop asks for ---------------------------------------------------------------------------
    def load(self):
        """Write the chunk that has just ended; False when the generator's life is over."""
        if self.end_ns > self.start_ns:
            self._write()
            self._world_ns += CHUNK_NS
        self.start_ns = self.end_ns
        if self._world_ns >= self._duration_ns:
            self._open().write(struct.pack("<QII", self._world_ns, 0, 0))
            self._file.close()
            return False
        self.end_ns = self.to_chip(self._world_ns + CHUNK_NS)
        return True

    def next_event_ns(self):
        return NEVER

    def take_event(self):
        raise ValueError("nothing comes into the generator")

    # --- what the outputs tell ---------------------------------------------------------------------------------------
    def edges(self, events):
        """Level changes (t_ns, level) of the trigger output to come."""
        self._events += [(t_ns, WIRE_TRIGGER, level) for t_ns, level in events]

    def level(self, t_ns, wire, level):
        """A digital output changes at t."""
        self._events.append((t_ns, wire, level))

    def cut_edges(self, t_ns):
        """Forget the level changes from t on; they will not happen."""
        self._events = [event for event in self._events if event[0] < t_ns or event[1] != WIRE_TRIGGER]

    def dac(self, t_ns, byte):
        """The DAC changes at t."""
        until = min((self.to_world(t_ns) - self._world_ns) // STEP_NS + 1, CHUNK_N + 1)
        if until > self._filled_n:
            _fill(self._samples, self._filled_n, until, self._units)
            self._filled_n = until
        self._units = int(byte * FULL_SCALE_UV / 255 / UNIT_UV)

    def _open(self):
        # Not when the chip boots: a pipe opens when its reader comes, and the host may want to talk before that.
        if self._file is None:
            self._file = open(self._path, "wb")
            self._file.write(struct.pack("<4sIII", b"HBCW", 1, RATE_HZ, 0))
        return self._file

    def _write(self):
        _fill(self._samples, self._filled_n, CHUNK_N + 1, self._units)
        self._filled_n = 0
        self._events.sort(key=lambda event: event[0])
        n = 0
        while n < len(self._events) and self._events[n][0] < self.end_ns:
            n += 1
        file = self._open()
        file.write(struct.pack("<QII", self._world_ns, CHUNK_N + 1, n))
        file.write(self._samples)
        for t_ns, wire, level in self._events[:n]:
            file.write(struct.pack("<QBBHI", self.to_world(t_ns), wire, level, 0, 0))
        self._events = self._events[n:]
