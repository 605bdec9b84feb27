"""``hbc box check``: record while the guide leads through its steps, judge the recording, write the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hbc_host import __version__
from hbc_host.box.check import judge
from hbc_host.box.check_report import check_document, write_check
from hbc_host.box.guide import Guide, steps_for
from hbc_host.box.verdicts import Row
from hbc_host.errors import TransportError
from hbc_host.folder import refuse_used
from hbc_host.record import record
from hbc_host.session import load_session
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport

SESSION = "session"
STALE_S = 0.25  # bytes that computer and USB chip held before


@dataclass(frozen=True)
class Checked:
    """How a check went: rows, the whole as plain values, the report, its folder, and how the recording ended."""

    rows: tuple[Row, ...]
    document: dict[str, Any]
    report: Path
    folder: Path
    ended: str


def run_check(
    port: str,
    out_dir: Path | None,
    *,
    beats_n: int,
    attended: bool,
    trigger: bool,
    say: Callable[[str], None],
    show: Callable[[str], None],
) -> Checked:
    """Check the box at a port.

    Parameters
    ----------
    port : str
    out_dir : Path or None
        New folder; None takes ``box-check-<time>``.
    beats_n : int
    attended, trigger : bool
        See :func:`hbc_host.box.guide.steps_for`.
    say, show : callable
        Get lines for the person: steps, and the state now.

    Raises
    ------
    TransportError, NoHelloError, VersionMismatchError, SessionError
        There is no box, it went away, or the folder is in use.
    """
    when = datetime.now().astimezone()
    folder = out_dir or Path(f"box-check-{when:%Y%m%d-%H%M%S}")
    refuse_used(folder)
    guide = Guide(steps_for(beats_n, attended=attended, trigger=trigger), say, show)
    meta = SessionMeta(when, f"check of the box at {port}", "dash", (), None, __version__, port)
    summary = record(
        SerialTransport(port, discard_s=STALE_S), folder / SESSION,
        meta=meta, stop=guide.stop, on_message=guide.watch.take, ping=True,
    )  # fmt: skip
    if summary.ended == "port_lost":
        raise TransportError(summary.reason)
    if summary.ended == "interrupted":
        return Checked((), {}, folder, folder, summary.ended)
    rows = tuple(judge(load_session(folder / SESSION), guide))
    document = check_document(rows, summary.hello, when, port)
    return Checked(rows, document, write_check(document, folder), folder, summary.ended)
