"""``hbc detect``: the heart beats of an ECG as a table, as files for other programs, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hbc_host.cli_analyze import RateOption, given
from hbc_host.cli_common import JsonOption, Output, command_line, progress, refuse_overwriting
from hbc_host.cli_store import StoreOption, folder_given
from hbc_host.errors import InputError, TooFewBeatsError

if TYPE_CHECKING:
    from hbc_host.detection import Agreement, Beats, Signal

BEATS_MIN_N = 2  # one interval
SAME_S = 1.5e-6  # the box rounds down to whole microseconds


def detect(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="ECG: WFDB record, text with one value a line, session folder or visit."),
    ],
    rate_hz: RateOption = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write time, interval, quality and polarity.", show_default=False),
    ] = None,
    atr: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a WFDB annotation file.", show_default=False)
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Draw ECG and beats: .png, .svg or .html.", show_default=False)
    ] = None,
    from_s: Annotated[
        float | None, typer.Option(metavar="S", help="Where the picture begins, seconds.", show_default=False)
    ] = None,
    to_s: Annotated[
        float | None, typer.Option(metavar="S", help="Where the picture ends, seconds.", show_default=False)
    ] = None,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Find the heart beats (R-peaks) in an ECG, or again in the samples of a session.

    Example: hbc detect ecg.txt --rate-hz 130 --csv beats.csv --picture beats.png
    """
    file, atr = folder_given(file, store), _annotation_target(atr)
    refuse_overwriting(
        [file, *_header_of(file)],
        {"--csv": csv, "--atr": atr, "--picture": picture, "--json": Path(json_target) if json_target else None},
    )
    _check_picture(picture, from_s, to_s)
    out = Output(json_target)
    words = {"--rate-hz": rate_hz, "--csv": csv, "--atr": atr, "--picture": picture, "--from-s": from_s, "--to-s": to_s}
    command = command_line("detect", file, *(word for option, value in words.items() for word in given(option, value)))
    from hbc_host.detection import find_beats
    from hbc_host.io.beats_out import to_document, write_csv
    from hbc_host.io.ecg_signal import read_signal
    from hbc_host.io.wfdb_marks import write_annotation
    from hbc_host.report.strip_layout import frame_of
    from hbc_host.tables import fact_table

    with progress("finding beats"):
        signal = read_signal(file, rate_hz)
        frame = frame_of(signal, from_s, to_s) if picture else None
        beats = find_beats(signal)
        agreement = _agreement(file, signal, beats)
    facts = _facts(signal, beats, agreement)
    if picture and frame:
        from hbc_host.report.ecg_strip import write_picture

        with progress("drawing"):
            write_picture(picture, signal, beats, frame, facts=facts, command=command)
    _refuse_too_few(file, signal, beats)  # after the picture, which shows why
    out.console.print(fact_table(facts))
    for note in signal.notes:
        out.say(f"note: {note}")
    if csv:
        write_csv(csv, beats)
    if atr:
        write_annotation(atr, beats.position_idx, signal.rate_hz)
    for what, path in (("beats", csv), ("annotations", atr), ("picture", picture)):
        if path:
            out.say(f"{what}: {path}")
    out.json(to_document(signal, beats, agreement, file=str(file), command=command))


def _annotation_target(atr: Path | None) -> Path | None:
    if atr is None or str(atr) == "-":  # the dash is refused with the other outputs
        return atr
    from hbc_host.io.wfdb_marks import annotation_path

    return annotation_path(atr)


def _header_of(file: Path) -> list[Path]:
    """The header of a WFDB record, by which all its files are known even if the name of the record has a dot."""
    from hbc_host.io.wfdb_record import record_stem

    stem = None if file.is_dir() else record_stem(file)
    return [stem.with_name(stem.name + ".hea")] if stem else []


def _check_picture(picture: Path | None, from_s: float | None, to_s: float | None) -> None:
    if picture is not None:
        from hbc_host.report.ecg_strip import check_suffix

        check_suffix(picture)
    elif from_s is not None or to_s is not None:
        raise InputError("--from-s and --to-s say what a picture shows; add --picture, for example --picture beats.png")


def _agreement(file: Path, signal: Signal, beats: Beats) -> Agreement | None:
    """How the beats agree with the annotations of a WFDB record, if it has any."""
    from hbc_host.detection import compare
    from hbc_host.io.wfdb_marks import read_marks
    from hbc_host.io.wfdb_record import record_stem

    stem = None if file.is_dir() else record_stem(file)
    marks = read_marks(stem, signal.rate_hz) if stem else None
    return compare(beats.time_s, marks) if marks else None


def _refuse_too_few(file: Path, signal: Signal, beats: Beats) -> None:
    found_n = beats.time_s.size
    if found_n < BEATS_MIN_N:
        raise TooFewBeatsError(
            f"{file}: {found_n} beats in {signal.duration_s:.0f} s, at least {BEATS_MIN_N} are needed; "
            f"the signal is {_states(beats)}; check electrodes and --rate-hz, or look at it with --picture"
        )


def _facts(signal: Signal, beats: Beats, agreement: Agreement | None) -> list[tuple[str, str]]:
    """Name and value of all that the table says."""
    from hbc_host.detection import LOW_QUALITY
    from hbc_host.report import words

    beats_n, up_n = beats.time_s.size, int((beats.polarity > 0).sum())
    facts = [
        ("beats", f"{beats_n} in {signal.duration_s:.1f} s at {signal.rate_hz:g} Hz"),
        ("mean heart rate", f"{words.number(beats.mean_hr_bpm)} bpm"),
    ]
    if beats_n:
        low_n, mostly_up = int(beats.low.sum()), 2 * up_n >= beats_n
        share = words.percent(max(up_n, beats_n - up_n) / beats_n)
        facts += [
            ("low quality", f"{low_n} beats ({words.percent(low_n / beats_n)}) are below {LOW_QUALITY} of 255"),
            ("R wave", f"{'upward' if mostly_up else 'downward'} in {share} of the beats"),
        ]
    facts.append(("signal", _states(beats)))
    return [*facts, *_session_facts(signal, beats), *_agreement_facts(agreement)]


def _session_facts(signal: Signal, beats: Beats) -> list[tuple[str, str]]:
    """What a box adds: triggers, blanking, and its own beats, which must be found again."""
    from hbc_host.detection import matched
    from hbc_host.report import words

    if signal.box_beats_s is None:
        return []
    box_n, same_n = signal.box_beats_s.size, matched(signal.box_beats_s, beats.time_s, SAME_S)[0].size
    blanked = f"{words.percent(float(signal.blanked.mean()))} of the samples, around {signal.triggers_s.size} triggers"
    return [("blanked", blanked), ("beats of the box", f"{box_n}, of which {same_n} at the same microsecond")]


def _agreement_facts(agreement: Agreement | None) -> list[tuple[str, str]]:
    from hbc_host.report import words

    if agreement is None:
        return []
    said = f"{agreement.matched_n} of {agreement.marked_n} annotated beats found, {agreement.extra_n} extra"
    return [
        ("annotations", said),
        ("found after the mark", f"{words.number(agreement.offset_ms, signed=True)} ms (median)"),
    ]


def _states(beats: Beats) -> str:
    """``good 1750 s (97.2 %), noisy 50 s (2.8 %)``."""
    from hbc_host.detection import state_durations
    from hbc_host.report import words

    durations_s = state_durations(beats)
    total_s = sum(durations_s.values())
    parts = [
        f"{state.replace('_', ' ')} {state_s:.0f} s ({words.percent(state_s / total_s)})"
        for state, state_s in durations_s.items()
    ]
    return ", ".join(parts) or "of unknown state"
