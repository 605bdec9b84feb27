# The wire to the outside: records on standard output, (t_ns u64, n u16, bytes), raw bytes on standard input.
#
# The rig (hbc_hil/bridge.py) carries them to and from a pseudo-terminal. A full pipe blocks here in wall time only.

import select
import struct
import sys

import micropython
from chip import chip, relock, unlock
from vtime import NEVER, now, set_poll

OUT_N = 4096
RECORD = "<QH"
RECORD_N = 10


@micropython.viper
def _copy(source: ptr8, n: int, target: ptr8, at: int):
    for i in range(n):
        target[at + i] = source[i]


class Line:
    def __init__(self):
        self._out = bytearray(OUT_N)
        self._out_n = 0
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._listening = True
        self.received = bytearray(0)
        self._poll_ns = 20000000 if not chip.paced else 1000000
        self.sent_bytes_n = 0
        self._inputs = []  # what came, and the virtual time at which the chip first saw it
        self._script = chip.config["inputs"]
        if self._script is not None:
            self._script = [(t_ns, bytes.fromhex(data)) for t_ns, data in self._script]
            self._play()
        chip.at_power_off.append(self._tell)

    def _tell(self, report):
        self.flush()
        report["sent_bytes_n"] = self.sent_bytes_n
        report["inputs"] = self._inputs

    def send(self, t_ns, buf, n):
        """Bytes whose last bit leaves the pin at t_ns."""
        if self._out_n + RECORD_N + n > OUT_N:
            self.flush()
        struct.pack_into(RECORD, self._out, self._out_n, t_ns, n)
        _copy(buf, n, self._out, self._out_n + RECORD_N)
        self._out_n += RECORD_N + n
        self.sent_bytes_n += n

    def flush(self):
        if self._out_n:
            sys.stdout.buffer.write(self._out, self._out_n)
            self._out_n = 0

    def poll(self):
        """Fetch what the host sent; due every 20 ms of virtual time when free-running, every 1 ms when paced."""
        depth = unlock()
        if self._script is not None:
            self._play()
        elif self._listening:
            set_poll(now() + self._poll_ns)
            self._listen()
        relock(depth)

    def _play(self):
        """An earlier run's inputs, at the virtual times of that run."""
        while self._script and self._script[0][0] <= now():
            self.received += self._script.pop(0)[1]
        set_poll(self._script[0][0] if self._script else NEVER)

    def _listen(self):
        if not self._poll.poll(0):
            return
        came = bytearray()
        byte = sys.stdin.buffer.read(1)
        if not byte:
            self._listening = False
        while byte:
            came += byte
            byte = sys.stdin.buffer.read(1) if self._poll.poll(0) else b""
        if came:
            self.received += came
            self._inputs.append((now(), came.hex()))


line = Line()
