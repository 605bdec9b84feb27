# The wire to the outside: records on standard output, (t_ns u64, n u16, bytes), raw bytes on standard input.
#
# The rig (hbc_hil/bridge.py) carries them to and from a pseudo-terminal. A full pipe blocks here in wall time only.

import select
import struct
import sys

import micropython
from chip import chip, relock, unlock
from vtime import now, set_poll

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
        chip.at_power_off.append(self._tell)

    def _tell(self, report):
        self.flush()
        report["sent_bytes_n"] = self.sent_bytes_n

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
        if not self._listening:
            return
        set_poll(now() + self._poll_ns)
        depth = unlock()
        if self._poll.poll(0):
            byte = sys.stdin.buffer.read(1)
            if not byte:
                self._listening = False
            while byte:
                self.received += byte
                byte = sys.stdin.buffer.read(1) if self._poll.poll(0) else b""
        relock(depth)


line = Line()
