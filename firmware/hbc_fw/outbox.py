# What goes out, most urgent first: edges, peaks, answers and reports, settings, resent events, ECG blocks.

from array import array

import micropython
from hbc_wire import messages
from hbc_wire.framing import CRC_N

from hbc_fw.block import BLOCK_N
from hbc_fw.devicetime import Instant

FRAME_ROOM_N = 320
SLOTS_N = 10  # single messages: one slot a kind (hbc_fw.commands names them)
EDGES_IN_ROW_N = 16  # then a single message gets through: a trigger input that oscillates must not silence the box


class Outbox:
    """Packs one message at a time into fixed buffers and hands it to the port when the line has room.

    Nothing is queued as bytes: events wait in their logs, blocks in the sampler's ring, single messages as flags,
    so a slow line delays but never reorders within a kind, and what is dropped is counted where it is dropped.
    """

    def __init__(self, parts, encode_into, put_int16s):
        self._port = parts.port
        self._edges = parts.edges
        self._peaks = parts.peaks
        self._sampler = parts.sampler
        self._encode_into = encode_into
        self._put_int16s = put_int16s
        self._payload = bytearray(FRAME_ROOM_N)
        self._frame = bytearray(FRAME_ROOM_N)
        self._at = Instant()
        self._edge = [0, self._at, 0, 0]
        self._peak = [0, self._at, 0, 0, 0]
        self._block = [0, None, 0, None, None]
        # Single messages wait in slots: the newest of a kind is the one worth sending.
        self._single = [None] * SLOTS_N
        self._single_n = 0
        self._values = [None] * SLOTS_N
        self._again = array("i", [0, 0, 0, 0])  # resend ranges: edges from, until; peaks from, until
        self._listed = [0, 0, 0, None, 0, 0, 0]  # a SettingIs
        self._rows: tuple = ()
        self._rows_n = self._listed_n = 0
        self._edges_in_row_n = 0
        self.waiting_max_n = 0  # when the line was full, since the last Health
        self.seq = 0
        self.sent_n = 0

    def put_single(self, slot, message, values):
        """Send this message once, as soon as events have gone; values are read when it is packed."""
        self._values[slot] = values
        if self._single[slot] is None:
            self._single_n += 1
        self._single[slot] = message

    def waits(self, slot):
        """True while the message in this slot has not been sent."""
        return self._single[slot] is not None

    def put_again(self, kind, first_n, count_n):
        """Resend events from the log; returns False when some are no longer (or not yet) held."""
        log = self._edges if kind == messages.FETCH_EDGES else self._peaks
        until_n = min(first_n + count_n, log.sent_n)
        begin_n = max(first_n, log.oldest_n())
        self._again[2 * kind] = begin_n
        self._again[2 * kind + 1] = until_n
        return begin_n == first_n and until_n == first_n + count_n

    def put_list(self, token, rows):
        """Send a SettingIs for each row; a second list starts the first anew."""
        self._listed[0] = token
        self._rows = rows
        self._rows_n = len(rows)
        self._listed_n = 0

    @micropython.native
    def flush_one(self):
        """Send the most urgent message if the line has room for a whole frame; False when there was nothing to do."""
        edges, peaks, again = self._edges, self._peaks, self._again  # four at once would be a tuple on the heap
        sampler = self._sampler
        if (  # asked at every turn, so that nothing here is looked up that need not be
            sampler.sent_n >= sampler.detected_n
            and edges.sent_n >= edges.put_n
            and peaks.sent_n >= peaks.put_n
            and not self._single_n
            and self._listed_n >= self._rows_n
            and again[0] >= again[1]
            and again[2] >= again[3]
        ):
            return False
        if self._port.room_n() < FRAME_ROOM_N:
            self._count_waiting()
            return False
        if edges.sent_n < edges.put_n and not (self._single_n and self._edges_in_row_n >= EDGES_IN_ROW_N):
            self._send_edge(edges.sent_n)
            edges.sent_n += 1
            self._edges_in_row_n += 1
            return True
        self._edges_in_row_n = 0
        if peaks.sent_n < peaks.put_n:
            self._send_peak(peaks.sent_n)
            peaks.sent_n += 1
        elif self._send_single():
            pass
        elif self._listed_n < self._rows_n:
            self._send_setting()
        elif again[0] < again[1]:
            again[0] = max(again[0], edges.oldest_n())  # some may have been overwritten since they were asked for
            self._send_edge(again[0])
            again[0] += 1
        elif again[2] < again[3]:
            again[2] = max(again[2], peaks.oldest_n())
            self._send_peak(again[2])
            again[2] += 1
        else:
            return self._send_block()
        return True

    def _count_waiting(self):
        sampler, again = self._sampler, self._again
        waiting_n = self._edges.put_n - self._edges.sent_n + self._peaks.put_n - self._peaks.sent_n
        waiting_n += sampler.detected_n - sampler.sent_n + self._single_n + self._rows_n - self._listed_n
        waiting_n += max(0, again[1] - again[0]) + max(0, again[3] - again[2])
        if waiting_n > self.waiting_max_n:
            self.waiting_max_n = waiting_n

    def _send_setting(self):
        row = self._rows[self._listed_n]
        values = self._listed
        values[1] = self._listed_n
        values[2] = self._rows_n
        values[3] = row.name
        values[4] = row.value
        values[5] = row.lowest
        values[6] = row.highest
        self._send(messages.SettingIs, values)
        self._listed_n += 1

    def _send_single(self):
        for slot in range(len(self._single)):
            message = self._single[slot]
            if message is not None:
                self._single[slot] = None
                self._single_n -= 1
                self._send(message, self._values[slot])
                return True
        return False

    def _send_edge(self, n):
        self._edges.load(n, self._at)
        values = self._edge
        values[0] = n
        values[2] = self._edges.low(n)
        values[3] = self._edges.high(n)
        self._send(messages.TriggerEdge, values)

    def _send_peak(self, n):
        self._peaks.load(n, self._at)
        values = self._peak
        values[0] = n
        values[2] = self._peaks.detail(n)
        values[3] = self._peaks.low(n)
        values[4] = self._peaks.high(n)
        self._send(messages.RPeak, values)

    def _send_block(self):
        block = self._sampler.block_to_send()
        if block is None:
            return False
        values = self._block
        values[0] = block.first_idx
        values[1] = block.first_at
        values[2] = block.blank_ms
        values[3] = block.ecg_lsb
        values[4] = block.residual_us
        self._send(messages.EcgBlock, values)
        self._sampler.sent_n += 1
        return True

    def _send(self, message, values):
        n = messages.pack_into(self._payload, message, self.seq, values, self._put_int16s)
        n = self._encode_into(self._payload, n, self._frame)
        self._port.write(self._frame, n)
        self.seq = (self.seq + 1) & 0xFFFF
        self.sent_n += 1


assert 3 + 13 + 2 * (1 + 2 * BLOCK_N) + CRC_N + 4 <= FRAME_ROOM_N
