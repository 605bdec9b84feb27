"""The figures of the cohort report as SVG text that takes its colours from the page; drawn from the JSON document."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hbc_host.cohort.ratio_words import is_open, number
from hbc_host.report.drawing import ROLES, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATIO_LIMITS = (0.1, 20.0)
OPEN_LOW, OPEN_HIGH = ("below", "both"), ("above", "both")


def ratios_figure(document: Mapping[str, Any]) -> str:
    """Every odds ratio per standard deviation with its interval; the primary one first. Empty without a prediction."""
    if not document["prediction"]:
        return ""
    prediction = document["prediction"]
    rows = [("primary", prediction["per_sd"]), ("as measured, uncorrected", prediction["as_measured_per_sd"])]
    rows += [(row["name"], row["ratio"]) for row in (*document["secondary"], *document["sensitivity"])]

    def draw(axes: Axes) -> None:
        low_limit, high_limit = RATIO_LIMITS
        for place, (_, ratio) in enumerate(rows):
            low, middle, high = (
                min(max(number(ratio[key]), low_limit), high_limit) for key in ("low", "ratio", "high")
            )
            colour = ROLES["series"] if place == 0 else ROLES["muted"]
            side = is_open(ratio)  # an end that the data do not bound is an arrow, and there is no estimate to mark
            low, high = (low_limit if side in OPEN_LOW else low), (high_limit if side in OPEN_HIGH else high)
            axes.plot([low, high], [place, place], color=colour, linewidth=2.0, solid_capstyle="butt")
            for marker, end in (("<", low), (">", high)):
                if side in (OPEN_LOW if marker == "<" else OPEN_HIGH):
                    axes.plot([end], [place], marker=marker, markersize=5, color=colour, clip_on=False)
            if not side:
                axes.plot([middle], [place], marker="s", markersize=5, color=colour)
        axes.axvline(1.0, color=ROLES["ink"], linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.set_xlim(low_limit, high_limit)
        axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10, 20], ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("odds ratio of early improvement per standard deviation of coupling, 95 % interval")

    return _svg(draw, 7.3, 0.8 + 0.24 * len(rows))


def calibration_figure(document: Mapping[str, Any]) -> str:
    """Share that improved against what was predicted for patients left out of the fit. Empty without a validation."""
    if not document["validation"]:
        return ""
    bins = document["validation"]["curve"]

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=ROLES["muted"], linewidth=0.8, linestyle=":")
        for one in bins:
            axes.plot([one["predicted"]] * 2, [one["low"], one["high"]], color=ROLES["series"], linewidth=1.2)
        axes.plot(
            [b["predicted"] for b in bins], [b["observed"] for b in bins], "o", color=ROLES["series"], markersize=4
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted share", ylabel="share that improved")

    return _svg(draw, 3.4, 3.0)


def patients_figure(document: Mapping[str, Any]) -> str:
    """Coupling of each patient as measured and as expected, sorted; filled where the patient improved."""
    known = [one for one in document["patients"] if one["measured_bpm"] is not None]
    known.sort(key=lambda one: float(one["expected_bpm"]))

    def draw(axes: Axes) -> None:
        for place, one in enumerate(known):
            face = ROLES["series"] if one["improved"] else "none"
            edge = ROLES["muted"] if one["improved"] is None else ROLES["series"]
            axes.plot([place] * 2, [one["measured_bpm"], one["expected_bpm"]], color=ROLES["grid"], linewidth=0.8)
            axes.plot([place], [one["expected_bpm"]], "o", markersize=3.2, markerfacecolor=face, markeredgecolor=edge)
        axes.axhline(0.0, color=ROLES["muted"], linewidth=0.6, linestyle=":")
        axes.set(xlabel="patients, by coupling", ylabel="slowing, bpm", xticks=[])

    return _svg(draw, 7.3, 2.6) if known else ""


def _svg(draw: Any, width_in: float, height_in: float) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw(figure.add_subplot())
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    for role, colour in ROLES.items():
        text = text.replace(colour, f"var(--{role})")
    text = text.replace("#000000", "var(--ink)")
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r'<svg \1width="100%"', text, count=1)
