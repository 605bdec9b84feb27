"""What made a result: command, versions, and hashes of what went in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host import __version__
from hbc_host.cohort.code_hash import code_version
from hbc_host.cohort.document import Provenance
from hbc_host.cohort.recordings import RecordingRef

if TYPE_CHECKING:
    import pyarrow as pa


def provenance_of(
    command: str, refs: Sequence[RecordingRef], runs: pa.Table, outcomes: Path, *, seed: int, scheduler: str | None
) -> Provenance:
    """Collect it. The hash over recordings is that of the keys of their rows: place, patient, bytes and code."""
    keys = sorted(set(runs["key"].to_pylist()))
    return Provenance(
        command,
        datetime.now().astimezone().isoformat(timespec="seconds"),
        __version__,
        code_version(),
        seed,
        hashlib.sha256(outcomes.read_bytes()).hexdigest(),
        len(refs),
        hashlib.sha256("\n".join(keys).encode()).hexdigest(),
        scheduler or "this computer",
    )
