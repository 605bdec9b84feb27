"""Writing, killing, cutting and going on in any order: all that was written whole is read back, in order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX, Chunk
from hbc_host.parts import PART, log_parts, note_of, part_name, read_parts
from hbc_host.recorder import LOG_NAME, LogWriter
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


class Writers(RuleBasedStateMachine):
    """One folder, one program after the other; each may be killed between two chunks or within one."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hbc-parts-"))
        self.whole: list[list[Chunk]] = []
        self.torn_n = 0
        self.writer: LogWriter | None = None
        self.begin()

    def begin(self) -> None:
        self.writer = LogWriter(self.folder / part_name(len(self.whole) + 1))
        self.whole.append([])
        self.append(FROM_BOX, b"hello")

    @precondition(lambda self: self.writer is not None)
    @rule(kind=st.sampled_from([FROM_BOX, TO_BOX, HOST_NOTE]), data=st.binary(min_size=1, max_size=50))
    def append(self, kind: int, data: bytes) -> None:
        assert self.writer is not None
        chunk = Chunk(kind, float(len(self.whole[-1])), data)
        self.writer.append(chunk)
        self.whole[-1].append(chunk)

    @precondition(lambda self: self.writer is not None)
    @rule(cut_n=st.integers(0, 20))
    def kill(self, cut_n: int) -> None:
        """kill -9, or a power cut that takes some of the last chunk."""
        assert self.writer is not None
        self.writer.close()
        self.writer = None
        if cut_n and len(self.whole[-1]) > 1:
            path = log_parts(self.folder)[-1]
            path.write_bytes(path.read_bytes()[:-cut_n])
            self.whole[-1].pop()
            self.torn_n += 1

    @precondition(lambda self: self.writer is None)
    @rule()
    def go_on(self) -> None:
        self.begin()

    @invariant()
    def all_that_was_whole_is_there_in_order(self) -> None:
        assert log_parts(self.folder)[0].name == LOG_NAME
        log = read_parts(self.folder)
        assert log.truncated == bool(self.torn_n)
        assert log.damaged_n == 0
        found: list[list[Chunk]] = [[]]
        for chunk in log.chunks:
            if chunk.kind == HOST_NOTE and note_of(chunk) == {"event": PART}:
                found.append([])
            elif chunk.host_s == chunk.host_s:  # what was salvaged from a torn chunk has no time
                found[-1].append(chunk)
        assert found == self.whole

    def teardown(self) -> None:
        if self.writer is not None:
            self.writer.close()
        shutil.rmtree(self.folder)


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
