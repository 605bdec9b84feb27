"""``hbc session verify`` and ``hbc session repair``: is a recording whole, and saving what is left of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output
from hbc_host.cli_store import SessionArgument, StoreOption, folder_given
from hbc_host.errors import SessionError

app = typer.Typer(name="session", cls=HbcGroup, no_args_is_help=True, help="Sessions: lay down, run, list, check.")


def verify(session: SessionArgument, store: StoreOption = None, json_target: JsonOption = None) -> None:
    """Compare a recording with its manifest: files, sizes, hashes, checksums inside, and the result.

    Example: hbc session verify P-014
    """
    out = Output(json_target)
    from hbc_host.repair import verify_session

    session = folder_given(session, store)
    verdict = verify_session(session)
    for problem in verdict.problems:
        out.say(f"problem: {problem}")
    for text in verdict.notes:
        out.say(f"note: {text}")
    out.json(
        {
            "session": str(session),
            "whole": not verdict.problems,
            "problems": verdict.problems,
            "notes": verdict.notes,
            "result_sha256": verdict.result_sha256 or None,
        }
    )
    if verdict.problems:
        raise SessionError(
            f"{session}: {len(verdict.problems)} problems, first: {verdict.problems[0]}; "
            f"hbc session repair {session} saves what is there, hbc record --continue goes on after an interruption"
        )
    out.say(f"whole: every file is as it was recorded, result {verdict.result_sha256[:16]}")


def repair(
    session: SessionArgument,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New folder; else SESSION-repaired.", show_default=False),
    ] = None,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Write what can be read of a damaged recording as a whole one. The damaged one is never touched.

    Example: hbc session repair P-014
    """
    out = Output(json_target)
    from hbc_host.repair import repair_session

    session = folder_given(session, store)
    done = repair_session(session, out_dir)
    for text in done.lost:
        out.say(f"lost: {text}")
    if not done.lost:
        out.say("nothing was lost")
    out.say(f"session: {done.path}")
    out.json({"session": str(done.path), "lost": done.lost, "result_sha256": done.result_sha256})


COMMANDS: dict[str, Callable[..., None]] = {"verify": verify, "repair": repair}
