"""``hbc strap``: a chest strap as fallback when no box is there."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from hbc_host.exchange.strap_log import StrapWriter

app = typer.Typer(
    name="strap", cls=HbcGroup, no_args_is_help=True, help="Record from a chest strap, when there is no box."
)


@app.command()
def record(
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder; a raw file stands beside it.")],
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="What is given: dash, itbs, 10hz or train/pause.", show_default=False)
    ],
    site: Annotated[str, typer.Option(metavar="NAME", help="Label of the coil position.", show_default=False)] = "",
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of the strap, if there are several.", show_default=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Stop after so long; else with Ctrl-C.", min=1.0)
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Record ECG and intervals of a Polar H10, or intervals of any strap. Press Enter at the first pulse.

    A strap is no box: its clock is aligned to half a second at best, which widens every result. Not tested on a strap.

    Example: hbc strap record --out P-014-strap --protocol dash
    """
    out = Output(json_target)
    from hbc_host.errors import InputError
    from hbc_host.exchange.strap_ble import load_ble
    from hbc_host.exchange.strap_log import StrapWriter
    from hbc_host.trains import parse_protocol

    parse_protocol(protocol)  # a name that no command understands is refused now
    if out_dir.exists():
        raise InputError(f"{out_dir} exists; choose another --out, nothing is ever overwritten")
    load_ble()
    created = datetime.now(UTC).isoformat(timespec="seconds")
    writer = StrapWriter(_raw_of(out_dir), created=created, device="heart-rate strap", protocol=protocol, site=site)
    until_s = None if seconds is None else time.monotonic() + seconds
    out.say("press Enter at the first pulse; Ctrl-C ends")
    try:
        _run(writer, address, lambda: until_s is not None and time.monotonic() >= until_s, out)
    except KeyboardInterrupt:
        out.say("stopped by Ctrl-C")
    finally:
        writer.close()
        if not (writer.ecg_n or writer.rr_n):
            writer.file.unlink()  # nothing came: the same command may be given again
    if not (writer.ecg_n or writer.rr_n):
        raise InputError("the strap sent neither ECG nor intervals; wet its electrodes, wear it, and record again")
    _finish(writer.file, out_dir, out)


@app.command()
def finish(
    raw: Annotated[Path, typer.Argument(metavar="RAW", help="Raw file of a recording that was cut off.")],
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder.", show_default=False)],
    json_target: JsonOption = None,
) -> None:
    """Make the folder from the raw file of a recording that a crash ended.

    Example: hbc strap finish P-014-strap.jsonl --out P-014-strap
    """
    _finish(raw, out_dir, Output(json_target))


def _run(writer: StrapWriter, address: str | None, stop: Callable[[], bool], out: Output) -> None:
    import asyncio
    import sys

    from hbc_host.exchange.strap_ble import StrapRecorder

    async def both() -> None:
        loop = asyncio.get_running_loop()
        number = sys.stdin.fileno() if sys.stdin.isatty() else None
        if number is not None:
            loop.add_reader(number, pressed)
        try:
            await StrapRecorder(writer, address=address, tell=out.say).run(stop)
        finally:
            if number is not None:
                loop.remove_reader(number)

    def pressed() -> None:
        sys.stdin.readline()
        writer.mark(time.monotonic())
        out.say("first pulse marked" if writer.marks_n == 1 else "marked already: the first mark counts")

    asyncio.run(both())


def _finish(raw: Path, out_dir: Path, out: Output) -> None:
    from hbc_host.exchange.strap import finish_strap

    recording = finish_strap(raw, out_dir)
    beats_n = 0 if recording.beats_s is None else int(recording.beats_s.size)
    out.say(f"{out_dir}: {recording.end_s - recording.start_s:.0f} s, {beats_n} beats")
    for text in recording.notes:
        out.say(f"note: {text}")
    out.say(f"hbc analyze {out_dir} --protocol {recording.labels.protocol or 'NAME'}")
    out.json(
        {
            "folder": str(out_dir),
            "raw": str(raw),
            "beats_n": beats_n,
            "first_train_s": recording.first_train_s,
            "start_uncertainty_s": recording.start_uncertainty_s,
            "notes": recording.notes,
        }
    )


def _raw_of(out_dir: Path) -> Path:
    return out_dir.with_name(out_dir.name + ".jsonl")
