"""``hbc record``, ``hbc replay``, ``hbc doctor``: the box and its bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import EXIT_INTERRUPTED, JsonOption, Output, progress
from hbc_host.cli_labels import looks_like_a_name, meta_from
from hbc_host.cli_live import (
    Live,
    live_status,
    offer_to_continue,
    show_recording,
    tell,
    terminate_as_interrupt,
    watching,
)
from hbc_host.cli_store import SessionArgument, StoreOption, folder_given
from hbc_host.errors import HbcError, InputError, SessionError, TransportError

if TYPE_CHECKING:
    from hbc_host.recorder import Log
    from hbc_host.session import Session

STALE_S = 0.25  # bytes that computer and USB chip held before this recording began


def record(
    port: Annotated[str, typer.Option(metavar="PORT", help="Serial port of the box, such as /dev/ttyUSB0 or COM3.")],
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder; a pseudonym, never a name.")],
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="dash, itbs, 10hz, or train/pause in seconds.")
    ] = "dash",
    sites: Annotated[
        str, typer.Option(metavar="A,B", help="Coil positions in the order of stimulation.", show_default=False)
    ] = "",
    intensities: Annotated[
        str, typer.Option(metavar="P,Q", help="Stimulator output of each step, percent.", show_default=False)
    ] = "",
    seconds: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.1, help="Stop after N seconds; else Ctrl-C stops.", show_default=False),
    ] = None,
    give_up_s: Annotated[
        float,
        typer.Option("--give-up-s", metavar="N", min=0.0, help="Wait so long for a lost box to come back; 0 is not."),
    ] = 600.0,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Add to a recording that a crash or a lost cable ended.")
    ] = False,
    alarms: Annotated[
        str,
        typer.Option(metavar="X=N,...", help="below=, above=, fall= (bpm), fall-pct=, pause= (s), 0 for none; or off."),
    ] = "fall=15,fall-pct=20,pause=3",
    json_target: JsonOption = None,
) -> None:
    """Record from the box until Ctrl-C, or for a number of seconds. Nothing already recorded is ever overwritten.

    Sit the person down, wait for 180 s of rest before the first train, and leave 60 s of rest between sites. When the
    cable comes loose, put it back, in the same socket or another: the recording goes on.

    Example: hbc record --port /dev/ttyUSB0 --out P-014 --sites 5CM-L,BF3-L
    """
    out = Output(json_target)
    from hbc_host.alarms import parse_criteria
    from hbc_host.folder import room_warning
    from hbc_host.ports import PortFinder
    from hbc_host.reconnect import BoxFinder
    from hbc_host.record import record as run
    from hbc_host.transport import SerialTransport

    meta = meta_from(out_dir, protocol, sites, intensities, port)
    criteria = parse_criteria(alarms)
    offer_to_continue(out_dir, go_on)
    for warning in (room_warning(out_dir, seconds), looks_like_a_name(out_dir)):
        if warning:
            tell(warning)
    finder = BoxFinder(PortFinder(port).transports, give_up_s=give_up_s)
    with terminate_as_interrupt(), watching(criteria) as watch, live_status(f"waiting for the box on {port}") as status:
        live = Live(status)
        summary = run(
            SerialTransport(port, discard_s=STALE_S),
            out_dir,
            meta=meta,
            stop=live.stop_after(seconds),
            on_message=live.take,
            on_event=tell,
            ping=True,
            fetch=True,
            tap=watch.tap if watch else None,
            notes=watch.notes if watch else None,
            reconnect=finder if give_up_s > 0 else None,
            resume=go_on,
        )
    show_recording(out, summary)
    if summary.ended in ("port_lost", "disk"):
        raise (TransportError if summary.ended == "port_lost" else SessionError)(summary.reason)
    if summary.ended == "interrupted" and seconds is not None:
        raise typer.Exit(EXIT_INTERRUPTED)


def replay(
    session: SessionArgument,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="1 is real time, 10 ten times as fast; else as fast as it goes.", show_default=False
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Fail unless the result is exactly the same.")] = False,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Play a recording back through the same path that a live box takes; --verify also detects its beats again.

    Example: hbc replay P-014 --verify
    """
    out = Output(json_target)
    from hbc_host.clocksync import clock_words
    from hbc_host.folder import writer_of
    from hbc_host.session import load_with_log

    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise InputError(f"speed {speed:g} is not above 0; give 1 for real time")
    session = folder_given(session, store)
    if verify and (who := writer_of(session)):
        raise SessionError(f"{session} is being written by {who}; verify it when that has ended")
    recorded, live = load_with_log(session)
    again = _play(live, recorded, speed)
    document = _replay_document(live, recorded, again, verify)
    out.say(
        f"{again.duration_s:.1f} s, {again.frames_n} frames ({again.frames_lost_n} lost), "
        f"{again.beats_us.size} beats, {again.edges_tick.size} trigger edges"
    )
    same = "the same bytes give the same result" if document["same"] else "NOT the result of the recording"
    out.say(f"result {document['replay_hash'][:16]}: {same}")
    if document["beats_differ_n"] is not None:
        again_n = document["beats_differ_n"]
        out.say(f"beats detected again from its samples: {'all the same' if not again_n else f'{again_n} DIFFER'}")
    if live.pings:
        out.say(clock_words(live.pings))
    if document["damage"]:
        out.say(f"the recording is damaged: {', '.join(document['damage'])}; the replay repeats this damage")
    for note in live.notes:
        out.say(f"note: {note}")
    out.json(document)
    if verify and not document["same"]:
        raise SessionError(
            f"{session}: replay gives result {document['replay_hash'][:16]}, the recording "
            f"{document['live_hash'][:16]}; keep the folder and report it with the output of hbc version"
        )
    if verify and document["beats_differ_n"]:
        raise SessionError(
            f"{session}: {document['beats_differ_n']} beats of the box do not follow from its samples with this "
            f"detector; was it recorded by another version (its firmware: {live.hello.firmware})?"
        )


def _replay_document(live: Session, recorded: Log, again: Session, verify: bool) -> dict[str, Any]:
    from hbc_host.replay import recording_damage
    from hbc_host.session import session_hash

    damage = recording_damage(live, recorded)
    beats_differ_n = None
    if verify and not damage:
        from hbc_host.redetect import beats_that_differ

        beats_differ_n = beats_that_differ(live)
    document = {
        "damage": damage,
        "beats_differ_n": beats_differ_n,
        "session": str(live.path),
        "duration_s": again.duration_s,
        "frames_n": again.frames_n,
        "frames_lost_n": again.frames_lost_n,
        "beats_n": int(again.beats_us.size),
        "edges_n": int(again.edges_tick.size),
        "live_hash": session_hash(live),
        "replay_hash": session_hash(again),
    }
    return {**document, "same": document["live_hash"] == document["replay_hash"]}


def _play(live: Session, recorded: Log, speed: float | None) -> Session:
    from hbc_host.replay import replay_session

    with progress("replaying") as done:
        return replay_session(live.path, recorded=recorded, speed=speed, progress=done)


def doctor(json_target: JsonOption = None) -> None:
    """Check this computer and the ports of the box, and say what to do about what is wrong.

    Example: hbc doctor
    """
    out = Output(json_target)
    from dataclasses import asdict

    from hbc_host.doctor import FAIL, run_checks
    from hbc_host.tables import check_table

    rows = run_checks()
    out.console.print(check_table(rows))
    out.json({"checks": [asdict(row) for row in rows]})
    failed = [row for row in rows if row.status == FAIL]
    if failed:
        first = failed[0]
        raise HbcError(
            f"{len(failed)} of {len(rows)} checks failed, first {first.name}: {first.found}; {first.next_step}"
        )
