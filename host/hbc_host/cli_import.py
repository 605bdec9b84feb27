"""``hbc import``: recordings of other programs as folders that every command takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import JsonOption, Output, progress, refuse_twice
from hbc_host.counting import counted
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.imports import Declared, Outcome
    from hbc_host.io.recording import Labels


def import_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Recordings of any format, or folders of such files.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the import folders are made.")] = Path(
        "hbc-imports"
    ),
    choices: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="ROLE=COLUMN[:UNIT]",
            help="Which column or channel is ecg, time, rr, beat or trigger; may be repeated.",
            show_default=False,
        ),
    ] = None,
    rate_hz: Annotated[
        float | None,
        typer.Option("--rate-hz", metavar="HZ", help="Sampling rate, if the file does not say.", show_default=False),
    ] = None,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="Commas are decimal, where that is not clear.")
    ] = False,
    start_s: Annotated[
        float | None,
        typer.Option(metavar="S", help="When the first train starts, if no trigger was recorded.", show_default=False),
    ] = None,
    start_uncertainty_s: Annotated[
        float, typer.Option(metavar="S", help="How far off that start may be, either way.")
    ] = 0.0,
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="Label: dash, itbs, 10hz or train/pause.", show_default=False)
    ] = "",
    sites: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="NAME", help="Label of the coil position, in order.", show_default=False),
    ] = None,
    intensities: Annotated[
        str,
        typer.Option(metavar="PCT,PCT", help="Label: stimulator output of each step, percent.", show_default=False),
    ] = "",
    json_target: JsonOption = None,
) -> None:
    """Import recordings of other programs: EDF, BDF, XDF, WFDB, OpenBCI, Polar, RR text, CSV.

    Each becomes a folder with its ECG, beats and triggers in open formats, its origin, and every guess that was made. A
    file that cannot be read is refused with the reason; the others are imported.

    Example: hbc import patient.edf strap.csv --map ecg=ECG:uV --out imports
    """
    refuse_twice(paths)
    out_text = Output(json_target)
    from hbc_host.imports import candidates, import_all
    from hbc_host.io.recording import ReadOptions, parse_choice

    options = ReadOptions(rate_hz, dict(parse_choice(text) for text in choices or []), decimal_comma)
    labels, declared = _labels(protocol, sites or [], intensities), _declared(start_s, start_uncertainty_s)
    with progress("importing"):
        outcomes = import_all(candidates(paths), out, options, declared=declared, labels=labels)
    for outcome in outcomes:
        _show(out_text, outcome)
    refused_n = sum(outcome.recording is None for outcome in outcomes)
    out_text.say(f"{len(outcomes) - refused_n} imported, {refused_n} refused")
    out_text.json({"format": "hbc-imports-1", "files": [_document(outcome) for outcome in outcomes]})
    if refused_n:
        raise InputError(f"{refused_n} of {len(outcomes)} files were refused; the reasons stand above")


def _labels(protocol: str, sites: list[str], intensities: str) -> Labels:
    from hbc_host.io.recording import Labels

    if protocol:
        from hbc_host.trains import parse_protocol

        parse_protocol(protocol)  # a label that no command understands is refused now
    try:
        steps = tuple(float(text) for text in intensities.split(",")) if intensities else ()
    except ValueError:
        steps = (math.nan,)
    if not all(0.0 <= step <= 200.0 for step in steps):
        raise InputError(f"--intensities {intensities!r} is not a list of 0 to 200 percent; for example 30,35,40")
    return Labels(protocol=protocol, sites=tuple(sites), intensities_pct=steps)


def _declared(start_s: float | None, uncertainty_s: float) -> Declared | None:
    from hbc_host.imports import Declared

    if not 0.0 <= uncertainty_s <= 3600.0:
        raise InputError(f"--start-uncertainty-s {uncertainty_s:g} is outside 0 to 3600 s; give seconds, either way")
    if start_s is None:
        if uncertainty_s:
            raise InputError("--start-uncertainty-s says how well a start is known; add --start-s, for example 16")
        return None
    if not 0.0 <= start_s < 1e6:
        raise InputError(
            f"--start-s {start_s:g} lies before the recording or far after it; give seconds from its begin"
        )
    return Declared(start_s, uncertainty_s)


def _show(out: Output, outcome: Outcome) -> None:
    """What became of one file, and every note on it."""
    from hbc_host.io.registry import BY_KEY

    recording = outcome.recording
    if recording is None:
        out.say(f"refused: {outcome.path}: {outcome.reason}")
        return
    beats_n = 0 if recording.beats_s is None else recording.beats_s.size
    found = "found" if recording.beats_from == "hbc" else "given"
    ecg = f"ECG at {recording.ecg.rate_hz:.6g} Hz, " if recording.ecg else ""
    triggers = "no trigger"
    if recording.triggers_s is not None and recording.triggers_s.size:
        triggers = f"{counted(recording.triggers_s.size, 'trigger')} from {recording.triggers_from}"
    duration_s = recording.end_s - recording.start_s
    out.say(
        f"imported: {outcome.path} -> {outcome.folder}: {BY_KEY[recording.format].title}, {duration_s:.1f} s, "
        f"{ecg}{beats_n} beats {found}, {triggers}"
    )
    out.say(f"  unit: {recording.units}; clock: {recording.clock}")
    for note in recording.notes:
        out.say(f"  note: {note}")


def _document(outcome: Outcome) -> dict[str, Any]:
    recording = outcome.recording
    if recording is None:
        return {"path": str(outcome.path), "refused": outcome.reason}
    triggers_s = recording.triggers_s
    return {
        "path": str(outcome.path),
        "folder": str(outcome.folder),
        "format": recording.format,
        "duration_s": recording.end_s - recording.start_s,
        "rate_hz": recording.ecg.rate_hz if recording.ecg else None,
        "beats_n": 0 if recording.beats_s is None else int(recording.beats_s.size),
        "beats_from": recording.beats_from,
        "triggers_n": None if triggers_s is None else int(triggers_s.size),
        "triggers_from": recording.triggers_from,
        "units": recording.units,
        "clock": recording.clock,
        "notes": list(recording.notes),
    }
