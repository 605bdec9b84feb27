"""Recording, cables lost, programs killed, power cut, disks full, bits flipped, second writers, in any order.

Always: the recording loads; what fsync had acknowledged is in it; what is missing is counted and lies in a gap.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hbc_host import recorder
from hbc_host.chunks import FROM_BOX
from hbc_host.errors import SessionError, TransportError
from hbc_host.folder import FolderLock, SessionWriter, writer_of
from hbc_host.manifest import may_continue
from hbc_host.parts import log_parts, read_parts
from hbc_host.record import record
from hbc_host.recorder import FILE_HEADER
from hbc_host.repair import repair_session, verify_session
from hbc_host.session import load_session
from hbc_host.stream import stream_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from slow_reader import slow_log, slow_stream
from support import FakeTransport, a_meta, beat_times_us, box_frames

DURATION_S = 90.0
SENT = box_frames(DURATION_S)
BEATS_US = beat_times_us(DURATION_S)
GONE = TransportError("port /dev/ttyUSB0 disappeared; check the cable and the box, then start again")
FLIPS_MAX_N = 3


class Killed(BaseException):
    """kill -9: nothing of the program runs any more."""


def vanish(writer: SessionWriter, *error: object) -> None:
    """What the kernel does with the files of a killed program: no fsync, no unlink of the lock."""
    os.close(writer.log._fd)
    os.close(writer._lock._fd)
    writer.log._fd = writer._lock._fd = -1


class Disk:
    """Knows what fsync has acknowledged of each log, and may be full after some bytes."""

    def __init__(self, room_n: int | None) -> None:
        self.room_n, self.synced_n = room_n, dict[int, int]()
        self._write, self._fsync = os.write, os.fsync

    def write(self, number: int, data: Any) -> int:
        if self.room_n is None:
            return self._write(number, data)
        fits_n = min(self.room_n, len(data))
        self.room_n -= fits_n
        if fits_n == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(number, bytes(data)[:fits_n])

    def fsync(self, number: int) -> None:
        self._fsync(number)
        there = os.fstat(number)
        self.synced_n[there.st_ino] = there.st_size

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with patch.object(os, "write", self.write), patch.object(os, "fsync", self.fsync):
            yield


class Recordings(RuleBasedStateMachine):
    """One box that sends on whatever happens; one folder."""

    @initialize(seed=st.integers(0, 999))
    def begin(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.place = Path(tempfile.mkdtemp(prefix="hbc-machine-"))
        self.folder = self.place / "session"
        self.next_n = 0
        self.acknowledged: set[int] = set()
        self.flips_n = 0

    @property
    def over(self) -> bool:
        return self.next_n >= len(SENT) - 150 or (self.folder.exists() and not may_continue(self.folder))

    def chunks(self, frames_n: int) -> list[bytes]:
        """The next frames, in reads of any size."""
        data = b"".join(one.data for one in SENT[self.next_n : self.next_n + frames_n])
        self.next_n += frames_n
        parts = []
        while data:
            size = self.random.choice([1, 40, 140, 900, 5000])
            parts.append(data[:size])
            data = data[size:]
        return parts

    def record_until(self, transport: FakeTransport, stop: Callable[[], bool], **more: Any) -> str:
        now_s = float(self.next_n)

        def clock() -> float:
            nonlocal now_s
            now_s += 0.001
            return now_s

        resume = self.folder.exists()
        summary = record(transport, self.folder, meta=a_meta(), stop=stop, clock=clock, resume=resume, **more)
        return summary.ended

    @precondition(lambda self: not self.over)
    @rule(frames_n=st.integers(60, 140), away_n=st.integers(0, 60), often=st.booleans())
    def the_cable_is_pulled(self, frames_n: int, away_n: int, often: bool) -> None:
        disk = Disk(None)
        transport = FakeTransport(self.chunks(frames_n), error=GONE)
        with disk.in_place(), patch.object(recorder, "SYNC_PERIOD_S", 0.0 if often else 1.0):
            assert self.record_until(transport, lambda: False) == "port_lost"
        self.next_n += away_n
        self.acknowledge()

    @precondition(lambda self: not self.over)
    @rule(frames_n=st.integers(60, 140), at=st.floats(0.3, 0.9), cut=st.floats(0, 1), often=st.booleans())
    def the_program_is_killed_and_the_power_fails(self, frames_n: int, at: float, cut: float, often: bool) -> None:
        disk = Disk(None)
        transport = FakeTransport(self.chunks(frames_n))
        messages_n = 0

        def die(message: Any) -> None:
            nonlocal messages_n
            messages_n += 1
            if messages_n > at * frames_n:
                raise Killed

        with (
            disk.in_place(),
            patch.object(recorder, "SYNC_PERIOD_S", 0.0 if often else 1.0),
            patch.object(SessionWriter, "__exit__", vanish),
            suppress(Killed),
        ):
            self.record_until(transport, lambda: transport.at_end, on_message=die)
        path = log_parts(self.folder)[-1]
        there = path.stat()
        at_risk_n = there.st_size - disk.synced_n[there.st_ino]
        os.truncate(path, there.st_size - int(cut * at_risk_n))
        self.acknowledge(path, disk.synced_n[there.st_ino])

    @precondition(lambda self: not self.over)
    @rule(frames_n=st.integers(60, 140), room=st.floats(0, 1))
    def the_disk_fills_up(self, frames_n: int, room: float) -> None:
        chunks = self.chunks(frames_n)
        disk = Disk(int(room * (sum(map(len, chunks)) + 24 * len(chunks))))
        transport = FakeTransport(chunks)
        existed = self.folder.exists()
        refusal = "disk full"
        with disk.in_place():
            try:
                assert self.record_until(transport, lambda: transport.at_end, manifest=False) in ("disk", "stopped")
            except SessionError as error:
                refusal = str(error)
                assert self.folder.exists() == existed  # a folder appears complete or not at all
        assert "disk full" in refusal
        assert not writer_of(self.folder)

    @precondition(lambda self: not self.over)
    @rule(frames_n=st.integers(60, 140))
    def somebody_else_wants_to_write_meanwhile(self, frames_n: int) -> None:
        transport = FakeTransport(self.chunks(frames_n))
        refused: list[str] = []

        def stop() -> bool:
            for attempt in (lambda: FolderLock(self.folder), lambda: verify_session(self.folder)):
                try:
                    attempt()
                except SessionError as error:
                    refused.append(str(error))
            return transport.at_end

        assert self.record_until(transport, stop, manifest=False) == "stopped"
        assert len(refused) >= 2
        assert all("is being written by hbc, process" in text for text in refused)
        self.acknowledge()

    @precondition(lambda self: self.folder.exists() and self.flips_n < FLIPS_MAX_N)
    @rule(part=st.integers(0, 99), at=st.floats(0, 1), bit=st.integers(0, 7))
    def a_bit_of_the_disk_flips(self, part: int, at: float, bit: int) -> None:
        paths = log_parts(self.folder)
        path = paths[part % len(paths)]
        data = bytearray(path.read_bytes())
        if len(data) <= FILE_HEADER.size:
            return
        # A head that is hit costs its chunk, a byte inside the frame, and its neighbour when a delimiter was hit.
        frames_max_n = max(chunk.data.count(0) for chunk in slow_log(bytes(data)).chunks) + 2
        data[min(FILE_HEADER.size + int(at * (len(data) - FILE_HEADER.size)), len(data) - 1)] ^= 1 << bit
        path.write_bytes(data)
        self.flips_n += 1
        before = len(self.acknowledged)
        self.acknowledged &= set(self.read_seqs())
        assert before - len(self.acknowledged) <= frames_max_n

    @precondition(lambda self: not self.over and self.next_n > 200)
    @rule()
    def it_ends_as_somebody_wished(self) -> None:
        transport = FakeTransport(self.chunks(80))
        assert self.record_until(transport, lambda: transport.at_end) == "stopped"
        assert verify_session(self.folder).problems == ()  # earlier damage is known to the manifest
        self.acknowledge()

    @precondition(lambda self: self.folder.exists())
    @rule()
    def it_is_repaired_elsewhere(self) -> None:
        repaired = repair_session(self.folder, self.place / "repaired")
        assert verify_session(repaired.path).problems == ()
        shutil.rmtree(repaired.path)

    def acknowledge(self, path: Path | None = None, synced_n: int = 0) -> None:
        """Everything on disk now has been acknowledged, of ``path`` only its first bytes."""
        for each in log_parts(self.folder):
            data = each.read_bytes()[: synced_n if each == path else None]
            payloads = slow_stream([c for c in slow_log(data).chunks if c.kind == FROM_BOX]).payloads
            self.acknowledged |= {int.from_bytes(payload[1:3], "little") for payload in payloads}

    def read_seqs(self) -> list[int]:
        seqs: list[int] = stream_of(read_parts(self.folder)).frames.seqs().tolist()
        return seqs

    @invariant()
    def it_loads_and_nothing_is_lost_in_silence(self) -> None:
        if not getattr(self, "folder", Path("/nowhere")).exists():
            return
        session = load_session(self.folder)
        seqs = self.read_seqs()
        assert set(seqs) >= self.acknowledged
        assert session.frames_n + session.frames_lost_n == seqs[-1] - seqs[0] + 1
        assert set(session.beats_us.tolist()) <= set(BEATS_US)
        found = set(session.beats_us.tolist())
        # A beat is missed by its number, so by a later beat. After the last one only the lost frame is counted.
        last_us = max(found, default=0)
        inside_s = [at_us * 1e-6 for at_us in BEATS_US if session.start_s < at_us * 1e-6 and at_us < last_us]
        missing_s = [at_s for at_s in inside_s if round(at_s * 1e6) not in found]
        assert all(any(start <= at_s <= end for start, end in session.gaps_s) for at_s in missing_s)
        assert session.beats_lost_n >= len(missing_s)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            shutil.rmtree(self.place)


TestRecordings = Recordings.TestCase
TestRecordings.settings = settings(max_examples=12, stateful_step_count=8, deadline=None)
