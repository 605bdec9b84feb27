# The wire to the outside: records on standard output, (t_ns u64, n u16, bytes), raw bytes on standard input.
#
# The rig (hbc_hil/bridge.py) carries them to and from a pseudo-terminal. A full pipe blocks here in wall time only.

import select
import struct
import sys

import micropython
from chip import chip, relock, unlock
from diary import Diary
from vtime import NEVER, now, set_poll

BYTE_NS = 86806  # 115200 baud, 8N1
OUT_N = 8192  # the driver's ring and more: what waits for the line must fit
RECORD = "<QH"
BANNER_AFTER_NS = 40000000  # from reset to the ROM's first words
RECORD_N = 10


@micropython.viper
def _copy(source: ptr8, n: int, target: ptr8, at: int):
    for i in range(n):
        target[at + i] = source[i]


@micropython.viper
def _move(buf: ptr8, source: int, n: int):
    for i in range(n):
        buf[i] = buf[source + i]


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
        self._inputs = Diary("inputs")  # the virtual time at which the chip first saw bytes, and which
        self._script = chip.config["inputs"]
        if self._script is not None:  # what came before this boot went to the one before, or to the ROM
            self._script = [(t_ns, bytes.fromhex(data)) for t_ns, data in self._script if t_ns >= now()]
            self._play()
        chip.at_power_off.append(self._tell)
        chip.at_reset.append(self._cut)

    def _tell(self, report):
        self.flush()
        report["sent_bytes_n"] = self.sent_bytes_n

    def send(self, t_ns, buf, n):
        """Bytes whose last bit leaves the pin at t_ns."""
        if self._out_n + RECORD_N + n > OUT_N:
            self._flush_departed()
        struct.pack_into(RECORD, self._out, self._out_n, chip.world.to_world(t_ns), n)
        _copy(buf, n, self._out, self._out_n + RECORD_N)
        self._out_n += RECORD_N + n
        self.sent_bytes_n += n

    def flush(self):
        if self._out_n:
            sys.stdout.buffer.write(self._out, self._out_n)
            self._out_n = 0

    def _flush_departed(self):
        """Hand over what has left the pin: the rest would be lost in a reset."""
        depth = unlock()
        departed_n = self._departed_n()
        if departed_n == 0:
            departed_n = self._out_n  # more waits than any driver holds: nothing to be exact about
        sys.stdout.buffer.write(self._out, departed_n)
        _move(self._out, departed_n, self._out_n - departed_n)
        self._out_n -= departed_n
        relock(depth)

    def _departed_n(self):
        now_ns = chip.world.to_world(now())
        at = 0
        while at < self._out_n:
            t_ns, n = struct.unpack_from(RECORD, self._out, at)
            if t_ns > now_ns:
                break
            at += RECORD_N + n
        return at

    def _cut(self):
        """A reset empties the driver's buffers; of the record on its way the first bytes are out."""
        at = self._departed_n()
        if at < self._out_n:
            t_ns, n = struct.unpack_from(RECORD, self._out, at)
            left_n = max(0, n - (t_ns - chip.world.to_world(now())) // BYTE_NS - 1)
            struct.pack_into(RECORD, self._out, at, chip.world.to_world(now()), left_n)
            self._out_n = at + RECORD_N + left_n

    def say(self, text, t_ns):
        """Text that does not come from the box's own port: the ROM's at boot, the interpreter's."""
        data = text.encode()
        self.send(t_ns, data, len(data))
        self.flush()

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
            self._inputs.add([now(), came.hex()])


line = Line()
