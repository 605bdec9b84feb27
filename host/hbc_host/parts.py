"""A recording may have several parts: a log for each time that a program wrote to the same folder, read as one.

``wire.hbclog`` is the first part; ``wire.2.hbclog`` and so on were added by ``hbc record --continue``. Beside the
bytes, a log holds notes of the host: when the connection was lost and came back, alarms.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from hbc_host.chunks import HOST_NOTE, Chunk, Chunks
from hbc_host.recorder import FILE_HEADER, LOG_NAME, Log, read_log

LOST = "lost"  # the connection ended; the bytes after it come from a new one
BACK = "back"  # the same box was found again
PART = "part"  # another part of the recording begins
NOTE_MAX_N = 1 << 16  # bytes of a note that are looked at; ours have some hundred, a site of 1000 trains has 16 k


def part_name(part_n: int) -> str:
    """File name of a part, counted from 1."""
    return LOG_NAME if part_n == 1 else f"wire.{part_n}.hbclog"


def log_parts(folder: Path) -> list[Path]:
    """The logs of a recording, in order; the first is named even when it is absent."""
    parts = [folder / part_name(1)]
    while (folder / part_name(len(parts) + 1)).is_file():
        parts.append(folder / part_name(len(parts) + 1))
    return parts


def stray_parts(folder: Path) -> list[str]:
    """Names of parts that stand alone because one before them is missing; nothing reads them."""
    joined = {path.name for path in log_parts(folder)}
    return sorted(path.name for path in folder.glob("wire.*.hbclog") if path.name not in joined)


def read_parts(folder: Path) -> Log:
    """All parts of a recording as one log; raises SessionError as :func:`hbc_host.recorder.read_log` does."""
    first, *others = log_parts(folder)
    logs = [read_log(first)]
    for path in others:
        # A part without data was begun in the instant of a crash.
        logs.append(Log((), 0, 0, True) if path.stat().st_size <= FILE_HEADER.size else read_log(path))
    if len(logs) == 1:
        return logs[0]
    between = Chunks.of([note(math.nan, PART)])
    chunks = [each for log in logs for each in (between, Chunks.of(log.chunks))][1:]
    return Log(
        Chunks.joined(chunks),
        sum(log.damaged_n for log in logs),
        sum(log.damaged_bytes_n for log in logs),
        any(log.truncated for log in logs),
    )


def note(host_s: float, event: str, **fields: Any) -> Chunk:
    """A note of the host for the log, such as ``note(now_s, LOST, reason="port ... disappeared")``."""
    return Chunk(HOST_NOTE, host_s, json.dumps({"event": event, **fields}, sort_keys=True).encode())


def note_of(chunk: Chunk) -> dict[str, Any]:
    """Fields of a note; empty when the chunk holds none that can be read."""
    if chunk.kind != HOST_NOTE:
        return {}
    try:
        fields = json.loads(chunk.data[:NOTE_MAX_N])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
