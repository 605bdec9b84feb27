# The world as the chip feels it: a stream of chunks with the voltage at the ADC pin and the edges on its wires.
#
# The format is described in hbc_hil/world.py, which renders it. Reading blocks until the world has been rendered
# that far, so the chip can never pass its horizon.

import struct
import sys

import vtime
from vtime import NEVER

_HEADER = "<4sIII"
_CHUNK = "<QII"


class World:
    """One chunk at a time: start_ns, end_ns, samples, events; times in nanoseconds of the chip's own crystal."""

    def __init__(self, path, drift_ppb=0):
        self._file = open(path, "rb")
        magic, version, rate_hz, _ = struct.unpack(_HEADER, self._read(16))
        if magic != b"HBCW" or version != 1:
            raise ValueError("not a world stream")
        self._drift_ppb = drift_ppb
        self._step_ns = 1000000000 // rate_hz
        self._step_q10 = self._step_ns * 1024 * (1000000000 + drift_ppb) // 1000000000
        self._samples = b""
        self._events = b""
        self._event_i = 0
        self._events_n = 0
        self._next_event_ns = NEVER
        self.start_ns = 0
        self.end_ns = 0

    def _read(self, n):
        data = self._file.read(n)
        while len(data) < n:
            more = self._file.read(n - len(data))
            if not more:  # no fault of the firmware, which must not get the chance to catch it
                sys.stderr.write("the world stream broke off\n")
                raise SystemExit(1)
            data += more
        return data

    # Two steps, so that no product outgrows 62 bits: it would be a heap object, and the firmware may have locked it.
    def to_chip(self, world_ns):
        """World time to the chip's: a positive drift is a crystal that runs fast."""
        return (
            world_ns + world_ns // 1000000000 * self._drift_ppb + world_ns % 1000000000 * self._drift_ppb // 1000000000
        )

    def to_world(self, chip_ns):
        long_s = 1000000000 + self._drift_ppb
        return chip_ns - chip_ns // long_s * self._drift_ppb - chip_ns % long_s * self._drift_ppb // long_s

    def load(self):
        """Fetch the next chunk; False when the world is over."""
        start_ns, samples_n, events_n = struct.unpack(_CHUNK, self._read(16))
        if samples_n == 0:
            self.end_ns = max(self.end_ns, self.to_chip(start_ns))
            return False
        self.start_ns = self.to_chip(start_ns)
        self._samples = self._read(2 * samples_n)
        self._events = self._read(16 * events_n)
        self._event_i = 0
        self._events_n = events_n
        self._look_ahead()
        self.end_ns = self.to_chip(start_ns + (samples_n - 1) * self._step_ns)
        vtime.samples[0] = self._samples
        vtime.set_chunk(self.start_ns, self.end_ns - 1, self._step_q10)
        return True

    def next_event_ns(self):
        return self._next_event_ns  # asked for under the firmware's heap lock, too

    def _look_ahead(self):
        if self._event_i == self._events_n:
            self._next_event_ns = NEVER
        else:
            self._next_event_ns = self.to_chip(struct.unpack_from("<Q", self._events, 16 * self._event_i)[0])

    def take_event(self):
        at = 16 * self._event_i + 8
        self._event_i += 1
        self._look_ahead()
        return self._events[at], self._events[at + 1]
