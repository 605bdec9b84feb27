"""Heart rate of the whole session, a row per run: what the eye can check before it believes any average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hbc_host.report.drawing import LEFT_IN, PAGE_WIDTH_IN, ROLES, STYLE, draw
from hbc_host.report.language import Language
from hbc_host.report.page import Drawing
from hbc_host.report.session_parts import Rhythm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN, TOP_IN, BOTTOM_IN = 1.0, 0.18, 0.4
SPAN_MIN_BPM = 20.0  # a quiet heart must not fill the row with its breathing


def rhythm_figure(rhythms: Sequence[Rhythm], lang: Language) -> Drawing | None:
    """Heart rate over time with trains, rest and gaps; None when no run has a measured beat."""
    shown = [one for one in rhythms if one.used.any()]
    if not shown:
        return None
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    height_in = ROW_IN * len(shown) + TOP_IN + BOTTOM_IN
    low_bpm, high_bpm = _range(shown)
    longest_s = max(one.end_s - one.rest_s for one in shown)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE_WIDTH_IN, height_in))
        axes = figure.subplots(
            len(shown),
            1,
            squeeze=False,
            gridspec_kw={
                "left": LEFT_IN / PAGE_WIDTH_IN,
                "right": 1.0 - 0.08 / PAGE_WIDTH_IN,
                "bottom": BOTTOM_IN / height_in,
                "top": 1.0 - TOP_IN / height_in,
                "hspace": 0.34,
            },
        )
        for ax, one in zip(axes[:, 0], shown, strict=True):
            _draw_row(ax, one, lang)
            ax.xaxis.set_major_locator(MultipleLocator(1.0 if longest_s > 180.0 else 0.5))
            ax.set_xlim(one.rest_s / 60.0, (one.rest_s + longest_s) / 60.0)  # a minute is as long in every row
            ax.set_ylim(low_bpm, high_bpm)
        unit = lang.say("minutes since the recording began")
        figure.supxlabel(unit, y=0.04 / height_in, fontsize=8, color=ROLES["ink"])
        figure.supylabel(lang.say("heart rate (bpm)"), x=0.02 / PAGE_WIDTH_IN, fontsize=8, color=ROLES["ink"])
        return draw(figure, "rhythm", lang.say("Heart rate over time with the trains, a row per site"), lang)


def _draw_row(ax: Axes, one: Rhythm, lang: Language) -> None:
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    first_s = one.trains_s[0][0] if one.trains_s else one.end_s
    ax.axvspan(one.rest_s / 60.0, first_s / 60.0, color=ROLES["muted"], alpha=0.07, linewidth=0)
    for start_s, end_s in one.trains_s:
        ax.axvspan(start_s / 60.0, end_s / 60.0, color=ROLES["train"], alpha=0.28, linewidth=0)
    for start_s, end_s in one.gaps_s:
        ax.axvspan(start_s / 60.0, end_s / 60.0, color=ROLES["warn"], alpha=0.25, linewidth=0)
    ax.plot(one.middle_s / 60.0, np.where(one.used, one.rate_bpm, np.nan), color=ROLES["series"], linewidth=0.8)
    left_out = ~one.used & np.isfinite(one.rate_bpm)
    bottom = np.full(int(left_out.sum()), 0.03)
    ax.plot(
        one.middle_s[left_out] / 60.0,
        bottom,
        "x",
        color=ROLES["warn"],
        markersize=3.2,
        transform=ax.get_xaxis_transform(),
    )
    name = one.site if len(one.site) <= 14 else one.site[:13] + "…"
    ax.text(
        0.004, 0.97, name.replace("$", r"\$"), transform=ax.transAxes, va="top", fontsize=8, fontweight="bold",
        color=ROLES["ink"],
    )  # fmt: skip
    if first_s - one.rest_s > 30.0:
        ax.text(
            first_s / 60.0, 0.97, lang.say("rest") + " ", transform=ax.get_xaxis_transform(), va="top", ha="right",
            fontsize=7, color=ROLES["muted"],
        )  # fmt: skip


def _range(shown: Sequence[Rhythm]) -> tuple[float, float]:
    rates = np.concatenate([one.rate_bpm[one.used] for one in shown])
    low, high = float(rates.min()), float(rates.max())
    middle, half = (low + high) / 2.0, max((high - low) * 0.55, SPAN_MIN_BPM / 2.0)
    return middle - half, middle + 1.35 * half  # room above for the name of the site
