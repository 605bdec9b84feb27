"""ECG strips with the beats that were found: rows of one length on one scale, as PNG, SVG or a page of HTML.

A row holds, from top to bottom, the marks of the beats, the ECG around the row's own median, and a lane for triggers
and for the names of the signal states. What leaves a row is cut at its border.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hbc_host.detection import LOW_QUALITY, Beats, BoolArray, Signal, true_spans
from hbc_host.errors import InputError
from hbc_host.report import drawing, words
from hbc_host.report.drawing import ROLES, STYLE
from hbc_host.report.strip_layout import Frame, scale_of, trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".html")
WIDTH_IN, LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 14.0, 0.95, 0.65, 0.78, 0.42
ROW_IN, ROW_MAX_IN, PAGE_IN = 0.8, 1.8, 12.0  # rows grow when few of them share a page
DPI = 110
LANE = 0.15  # share of a row's height for the marks above, and for the lane below
NO_SAMPLES, BLANKED = "no samples", "blanked"
BANDS: dict[str, dict[str, Any]] = {
    "noisy": {"facecolor": ROLES["warn"], "alpha": 0.14},
    "hum": {"facecolor": ROLES["series"], "alpha": 0.14},
    "saturated": {"facecolor": ROLES["warn"], "alpha": 0.38},
    "flat": {"facecolor": ROLES["muted"], "alpha": 0.18},
    "lead_off": {"facecolor": ROLES["muted"], "alpha": 0.42},
    NO_SAMPLES: {"facecolor": ROLES["grid"], "alpha": 1.0},
    BLANKED: {"facecolor": ROLES["train"], "alpha": 0.5},
}
NAME_MAX_N = 70
WORD_MIN_SHARE = 0.05  # of a row: narrower bands have no room for their name, the legend has it


def write_picture(
    file: Path, signal: Signal, beats: Beats, frame: Frame, *, facts: Sequence[tuple[str, str]], command: str
) -> None:
    """Draw a part of a signal with its beats into ``file``, whose ending says how.

    Parameters
    ----------
    file : Path
        Ends in one of :data:`SUFFIXES`; see :func:`check_suffix`.
    facts : sequence of (name, value)
        What the HTML page says above the strips.
    command : str
        What makes the page again.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = draw_strips(signal, beats, frame)
        try:
            if file.suffix.lower() == ".html":
                file.write_text(_page(figure, signal.name, facts, command), encoding="utf-8")
            else:
                metadata: dict[str, Any] = {"Date": None} if file.suffix.lower() == ".svg" else {}
                figure.savefig(file, dpi=DPI, facecolor="white", metadata=metadata)
        except OSError as fault:
            raise InputError(f"cannot write {file}: {fault.strerror}; choose another place with --picture") from None


def check_suffix(file: Path) -> None:
    """Raise InputError when the ending of a file is not one that a picture can have."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"--picture {file}: ends in {file.suffix or 'nothing'}; end it in {', '.join(SUFFIXES)}")


def draw_strips(signal: Signal, beats: Beats, frame: Frame) -> Figure:
    """The strips as a figure, to be saved under :data:`hbc_host.report.drawing.STYLE`."""
    from matplotlib.figure import Figure

    row_in = min(max(PAGE_IN / frame.rows_n, ROW_IN), ROW_MAX_IN)
    height_in = frame.rows_n * row_in + TOP_IN + BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height_in))
    sides = (LEFT_IN / WIDTH_IN, BOTTOM_IN / height_in)
    ax = figure.add_axes((*sides, 1 - (LEFT_IN + RIGHT_IN) / WIDTH_IN, 1 - (TOP_IN + BOTTOM_IN) / height_in))
    ax.set(xlim=(0, frame.row_s), ylim=(-frame.rows_n, 0), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.hlines(-np.arange(1.0, frame.rows_n), 0, frame.row_s, color=ROLES["grid"], linewidth=0.6)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    ax.set_xlabel(f"seconds within the row of {frame.row_s:g} s", color=ROLES["ink"])
    shown = _draw_bands(ax, signal, beats, frame)
    _draw_trace(ax, signal, beats, frame)
    _draw_marks(ax, signal, beats, frame)
    _label_rows(ax, beats, frame)
    _draw_head(figure, ax, signal, beats, frame, shown)
    return figure


def _draw_bands(ax: Axes, signal: Signal, beats: Beats, frame: Frame) -> list[str]:
    """Shade states, missing samples and blanked spans; the kinds that were drawn."""
    spans: dict[str, Iterable[tuple[float, float]]] = defaultdict(list)
    for kind in BANDS:
        spans[kind] = [(span.start_s, span.end_s) for span in beats.states if span.state == kind]
    spans[NO_SAMPLES] = _times(signal, np.isnan(signal.ecg_mv))
    spans[BLANKED] = _times(signal, signal.blanked)
    shown = []
    for kind, style in BANDS.items():
        pieces = [piece for span in spans[kind] for piece in frame.pieces(*span)]
        if pieces:
            shown.append(kind)
        for row in {row for row, _, _ in pieces}:
            bars = [(x_s, length_s) for piece_row, x_s, length_s in pieces if piece_row == row]
            ax.broken_barh(bars, (-row - 1.0, 1.0), linewidth=0, zorder=1, snap=False, **style)  # as wide as it is
        for row, x_s, length_s in pieces if kind != BLANKED else []:
            if length_s >= WORD_MIN_SHARE * frame.row_s:
                left_s = x_s + 0.003 * frame.row_s
                ax.text(
                    left_s,
                    -row - 1 + LANE / 2,
                    kind.replace("_", " "),
                    fontsize=6.5,
                    va="center",
                    color=ROLES["ink"],
                    zorder=4,
                )
    return shown


def _times(signal: Signal, mask: BoolArray) -> list[tuple[float, float]]:
    """Spans of seconds in which a mask over the samples is set."""
    period_s = 1.0 / signal.rate_hz
    return [
        (float(signal.sample_s[start]), float(signal.sample_s[end - 1]) + period_s) for start, end in true_spans(mask)
    ]


def _draw_trace(ax: Axes, signal: Signal, beats: Beats, frame: Frame) -> None:
    rows = [trace(signal, frame, row) for row in range(frame.rows_n)]
    low_mv, high_mv = scale_of(rows, beats, frame)
    per_mv = (1 - 2 * LANE) / (high_mv - low_mv)
    for row, (x_s, y_mv) in enumerate(rows):
        y = (np.clip(y_mv, low_mv, high_mv) - low_mv) * per_mv - row - 1 + LANE
        ax.plot(x_s, y, color=ROLES["ink"], linewidth=0.6, zorder=3)
    # The bar stands beside the first row; half of what a row holds, rounded down to 1, 2 or 5.
    room_mv = (high_mv - low_mv) / 2
    bar_mv = max(step * 10.0**power for power in range(-3, 4) for step in (1, 2, 5) if step * 10.0**power <= room_mv)
    bar_s, ends = -0.052 * frame.row_s, (-0.5 - bar_mv * per_mv / 2, -0.5 + bar_mv * per_mv / 2)
    ax.plot((bar_s, bar_s), ends, color=ROLES["ink"], linewidth=1.4, clip_on=False, solid_capstyle="butt")
    ax.text(bar_s - 0.004 * frame.row_s, -0.5, f"{bar_mv:g} mV", fontsize=7, ha="right", va="center", rotation=90)


def _marks(beats: Beats) -> list[tuple[str, BoolArray, dict[str, Any]]]:
    """Kinds of beat marks: words of the legend, which beats, and their look; shape and colour say the same."""
    up = beats.polarity > 0
    sure = {"color": ROLES["series"], "linestyle": "none", "zorder": 5}
    doubtful = {**sure, "color": ROLES["warn"], "marker": "x", "markersize": 5.5, "markeredgewidth": 1.5}
    return [
        ("R peak", up & ~beats.low, {**sure, "marker": "|", "markersize": 7, "markeredgewidth": 1.4}),
        ("R peak, downward", ~up & ~beats.low, {**sure, "marker": "v", "markersize": 4, "markeredgewidth": 0}),
        (f"doubtful R peak (quality below {LOW_QUALITY})", beats.low, doubtful),
    ]


def _draw_marks(ax: Axes, signal: Signal, beats: Beats, frame: Frame) -> None:
    shown = frame.shows(beats.time_s)
    for _, chosen, style in _marks(beats):
        x_s, row = frame.place(beats.time_s[chosen & shown])
        ax.plot(x_s, -row - LANE / 2, **style)
    x_s, row = frame.place(signal.triggers_s[frame.shows(signal.triggers_s)])
    ax.plot(x_s, -row - 1 + LANE / 2, **_trigger_style())


def _trigger_style() -> dict[str, Any]:
    return {"color": ROLES["muted"], "linestyle": "none", "marker": "^", "markersize": 3.2, "markeredgewidth": 0}


def _label_rows(ax: Axes, beats: Beats, frame: Frame) -> None:
    """Where each row begins, and its mean heart rate."""
    _, rows = frame.place(beats.time_s)
    inside = frame.shows(beats.time_s) & np.isfinite(beats.rr_ms)
    for row in range(frame.rows_n):
        style: dict[str, Any] = {"fontsize": 7.5, "va": "center", "color": ROLES["muted"]}
        ax.text(-0.006 * frame.row_s, -row - 0.5, f"{frame.start_s(row):g} s", ha="right", **style)
        rr_ms = beats.rr_ms[inside & (rows == row)]
        if rr_ms.size > 1:  # a single interval may be a pause that began rows ago
            ax.text(1.006 * frame.row_s, -row - 0.5, f"{60_000 / rr_ms.mean():.0f} bpm", ha="left", **style)


def _draw_head(figure: Figure, ax: Axes, signal: Signal, beats: Beats, frame: Frame, bands: list[str]) -> None:
    """Name, what the part holds, and a legend of what occurs in it."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown = frame.shows(beats.time_s)
    y = 1 - 0.24 / figure.get_figheight()
    name = signal.name if len(signal.name) <= NAME_MAX_N else signal.name[: NAME_MAX_N - 1] + "…"
    look: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": ROLES["ink"]}
    figure.text(LEFT_IN / WIDTH_IN, y, name, parse_math=False, **look)  # a dollar sign is a dollar sign
    beats_n, doubtful_n = int(shown.sum()), int(beats.low[shown].sum())
    said = f"{frame.from_s:.1f} to {frame.to_s:.1f} s: {beats_n} beats, {doubtful_n} doubtful"
    figure.text(1 - RIGHT_IN / WIDTH_IN, y, said, ha="right", color=ROLES["muted"])
    kinds = [(label, style) for label, chosen, style in _marks(beats) if chosen[shown].any()]
    if frame.shows(signal.triggers_s).any():
        kinds.append(("trigger", _trigger_style()))
    handles: list[Any] = [Line2D([], [], label=label, **style) for label, style in kinds]
    handles += [Patch(label=kind.replace("_", " "), **BANDS[kind]) for kind in bands]
    if handles:
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), frameon=False, borderpad=0.2,
            borderaxespad=0.4, handletextpad=0.5, columnspacing=1.6, labelcolor=ROLES["ink"],
        )  # fmt: skip


def _page(figure: Figure, name: str, facts: Sequence[tuple[str, str]], command: str) -> str:
    """The strips in a page of the report's style: one file, no network, light and dark."""
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    rows = "".join(f"<div><dt>{escape(fact)}</dt><dd>{escape(value)}</dd></div>" for fact, value in facts)
    svg = drawing.inline(figure, "strips", f"ECG of {escape(name, quote=True)} with its R peaks")
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Beats of {escape(name)}</title>
<style>{style} main {{ max-width: 112rem; }}</style></head>
<body><main><section>
<h1>Beats of {escape(name)}</h1>
<dl class="facts">{rows}</dl>
<div class="scroll">{svg}</div>
<pre>{escape(command)}</pre>
<p class="always">{words.RESEARCH_USE}</p>
</section></main></body>
</html>
"""
