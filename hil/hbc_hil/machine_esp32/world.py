# The world as the chip feels it: a stream of chunks with the voltage at the ADC pin and the edges on its wires.
#
# The format is described in hbc_hil/world.py, which renders it. Reading blocks until the world has been rendered
# that far, so the chip can never pass its horizon.

import struct

import micropython

_HEADER = "<4sIII"
_CHUNK = "<QII"
NEVER = 1 << 61


@micropython.viper
def _interpolate(samples: ptr16, rel_ns: int, step_ns: int) -> int:
    i = rel_ns // step_ns
    rest = rel_ns - i * step_ns
    low = int(samples[i])
    return low * 16 + (int(samples[i + 1]) - low) * rest * 16 // step_ns


class World:
    """One chunk at a time: start_ns, end_ns, samples, events."""

    def __init__(self, path):
        self._file = open(path, "rb")
        magic, version, rate_hz, _ = struct.unpack(_HEADER, self._read(16))
        if magic != b"HBCW" or version != 1:
            raise ValueError("not a world stream")
        self.step_ns = 1000000000 // rate_hz
        self._samples = b""
        self._events = b""
        self._event_i = 0
        self._events_n = 0
        self.start_ns = 0
        self.end_ns = 0

    def _read(self, n):
        data = self._file.read(n)
        while len(data) < n:
            more = self._file.read(n - len(data))
            if not more:
                raise ValueError("the world stream broke off")
            data += more
        return data

    def load(self):
        """Fetch the next chunk; False when the world is over."""
        self.start_ns, samples_n, events_n = struct.unpack(_CHUNK, self._read(16))
        if samples_n == 0:
            return False
        self._samples = self._read(2 * samples_n)
        self._events = self._read(16 * events_n)
        self._event_i = 0
        self._events_n = events_n
        self.end_ns = self.start_ns + (samples_n - 1) * self.step_ns
        return True

    def next_event_ns(self):
        if self._event_i == self._events_n:
            return NEVER
        return struct.unpack_from("<Q", self._events, 16 * self._event_i)[0]

    def take_event(self):
        at = 16 * self._event_i + 8
        self._event_i += 1
        return self._events[at], self._events[at + 1]

    @micropython.native
    def pin_units(self, t_ns):
        """Voltage at the ADC pin in units of 62.5 / 16 uV; past the chunk's end its last value."""
        return _interpolate(self._samples, min(t_ns, self.end_ns - 1) - self.start_ns, self.step_ns)
