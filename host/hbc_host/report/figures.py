"""The figures of the report as SVG text that takes its colours from the page.

matplotlib draws with one hexadecimal colour per role; :func:`inline` then swaps each for a CSS variable, so that the
same figure reads in light, dark and print. Text stays text (searchable, in the font of the page).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hbc_host.report import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hbc_host.analysis import Analysis, SiteResult, StepEffect

# Role -> colour while drawing. The values are the light theme; report.css owns both themes under the same names.
ROLES = {
    "ink": "#1b2430",
    "muted": "#5b6672",
    "grid": "#dde2e8",
    "series": "#0b61a4",
    "train": "#e0a526",
    "warn": "#b4540a",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hbc",  # the same numbers give the same bytes
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.edgecolor": ROLES["muted"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": ROLES["muted"],
    "ytick.color": ROLES["muted"],
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "grid.color": ROLES["grid"],
    "grid.linewidth": 0.6,
}
PAGE_WIDTH_IN = 7.3  # the printable width of A4 with 12 mm margins, so that 8 pt in a figure is 8 pt on paper
COLUMNS_N = 4
LEFT_IN, TOP_IN, BOTTOM_IN = 0.52, 0.26, 0.44
CLEAR_HALF_WIDTH_BPM = 5.0  # half an interval; steps known no better do not set the scale


def response_figure(analysis: Analysis) -> str | None:
    """Mean heart-rate change locked to train onset, one panel per site, one scale for all.

    Returns
    -------
    str or None
        An ``<svg>`` element; None when no site has a response.
    """
    shown = analysis.sites
    if all(site.response is None for site in shown):
        return None
    with _figure(len(shown), height_in=1.75) as (figure, axes):
        for ax, site in zip(axes, shown, strict=True):
            _draw_response(ax, site, train_s=analysis.protocol.train_s)
        low, high = _shared_range([line for site in shown for line in _response_lines(site)])
        axes[0].set_ylim(low, high)
        _label(figure, "seconds after the train starts", "heart-rate change (bpm)")
        return inline(figure, "response", "Mean heart-rate change after train onset, per site")


def dose_figure(analysis: Analysis) -> str | None:
    """Slowing per step against intensity (or step number), one panel per site, one scale for all.

    Returns
    -------
    str or None
        An ``<svg>`` element; None when no step is usable.
    """
    shown = [site for site in analysis.sites if site.steps]
    if not any(step.usable for site in shown for step in site.steps):
        return None
    by_intensity = all(step.intensity_pct is not None for site in shown for step in site.steps)
    with _figure(len(shown), height_in=1.75) as (figure, axes):
        for ax, site in zip(axes, shown, strict=True):
            _draw_dose(ax, site, by_intensity=by_intensity)
        axes[0].set_ylim(*_dose_range(shown))
        for ax, site in zip(axes, shown, strict=True):
            _mark_outside(ax, site.steps, by_intensity=by_intensity)
        unit = "intensity (% of stimulator output)" if by_intensity else "step (order of delivery)"
        _label(figure, unit, "slowing in the step (bpm)")
        return inline(figure, "dose", "Slowing per step, per site")


def _draw_response(ax: Axes, site: SiteResult, *, train_s: float) -> None:
    response = site.response
    ax.axvspan(0, train_s, ymin=0, ymax=0.06, color=ROLES["train"], linewidth=0)
    ax.axvspan(0, train_s, color=ROLES["train"], alpha=0.13, linewidth=0)
    ax.axhline(0, color=ROLES["muted"], linewidth=0.7)
    _title(ax, site, f"n = {response.trains_n if response else 0}")
    if response is None:
        ax.text(0.5, 0.75, "no response", transform=ax.transAxes, ha="center", color=ROLES["muted"])
        return
    ax.fill_between(
        response.time_s, response.low_bpm, response.high_bpm, color=ROLES["series"], alpha=0.22, linewidth=0
    )
    ax.plot(response.time_s, response.change_bpm, color=ROLES["series"], linewidth=1.6)
    ax.set_xlim(float(response.time_s[0]), float(response.time_s[-1]))


def _draw_dose(ax: Axes, site: SiteResult, *, by_intensity: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    usable = [step for step in site.steps if step.usable]
    x = np.array([_position(step, by_intensity) for step in usable])
    effect = np.array([step.effect_bpm for step in usable])
    ax.axhline(0, color=ROLES["muted"], linewidth=0.7)
    ax.vlines(
        x,
        [step.low_bpm for step in usable],
        [step.high_bpm for step in usable],
        color=ROLES["series"],
        alpha=0.4,
        linewidth=1.6,
    )
    ax.plot(x, effect, "o", color=ROLES["series"], markersize=3.6)
    places = [_position(step, by_intensity) for step in site.steps]
    spread = max(places) - min(places) or 1.0
    ax.set_xlim(min(places) - 0.06 * spread, max(places) + 0.06 * spread)
    if not by_intensity:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    _title(ax, site, f"{len(usable)} of {len(site.steps)}")


def _mark_outside(ax: Axes, steps: Sequence[StepEffect], *, by_intensity: bool) -> None:
    """Triangles on the edge for values beyond the scale; crosses for steps without a value."""
    bottom, top = ax.get_ylim()
    marks: dict[str, list[tuple[float, float, str]]] = {}
    for step in steps:
        x = _position(step, by_intensity)
        if not step.usable:
            marks.setdefault("x", []).append((x, bottom, "warn"))
        elif step.effect_bpm > top:
            marks.setdefault("^", []).append((x, top, "series"))
        elif step.effect_bpm < bottom:
            marks.setdefault("v", []).append((x, bottom, "series"))
    for marker, places in marks.items():
        x_values, y_values, roles = zip(*places, strict=True)
        ax.plot(x_values, y_values, marker, color=ROLES[roles[0]], markersize=4, clip_on=False)


def _dose_range(sites: Sequence[SiteResult]) -> tuple[float, float]:
    """Scale of all panels, from the steps that are known well enough; one noisy site must not flatten the others."""
    usable = [step for site in sites for step in site.steps if step.usable]
    clear = [step for step in usable if step.high_bpm - step.low_bpm <= 2 * CLEAR_HALF_WIDTH_BPM] or usable
    return _shared_range([np.array([(step.low_bpm, step.effect_bpm, step.high_bpm) for step in clear]).ravel()])


def _label(figure: Figure, x_text: str, y_text: str) -> None:
    width_in, height_in = figure.get_size_inches()
    figure.supxlabel(x_text, y=0.04 / height_in, fontsize=8, color=ROLES["ink"])
    figure.supylabel(y_text, x=0.02 / width_in, fontsize=8, color=ROLES["ink"])


def _title(ax: Axes, site: SiteResult, detail: str) -> None:
    # A dollar sign would start matplotlib's mathematics; a site's name is plain text.
    name = site.site if len(site.site) <= 14 else site.site[:13] + "…"
    text = f"{words.VERDICT_SHAPE[words.decided(site)]} {name}".replace("$", r"\$")
    ax.set_title(text, fontsize=8.5, fontweight="bold", loc="left", color=ROLES["ink"])
    ax.set_title(detail, fontsize=7.5, loc="right", color=ROLES["muted"])


def _position(step: StepEffect, by_intensity: bool) -> float:
    return float(step.intensity_pct) if by_intensity and step.intensity_pct is not None else float(step.step_n)


def _response_lines(site: SiteResult) -> list[np.ndarray[Any, Any]]:
    response = site.response
    return [] if response is None else [response.change_bpm, response.low_bpm, response.high_bpm]


def _shared_range(lines: Sequence[np.ndarray[Any, Any]]) -> tuple[float, float]:
    """Limits for all panels: everything shown, at least 2 bpm to either side so that noise is not magnified."""
    values = np.concatenate([*lines, np.zeros(1)])
    values = values[np.isfinite(values)]
    margin = 0.06 * float(np.ptp(values))
    return min(float(values.min()) - margin, -2.0), max(float(values.max()) + margin, 2.0)


@contextmanager
def _figure(panels_n: int, *, height_in: float) -> Iterator[tuple[Figure, list[Axes]]]:
    """A grid of panels with shared axes, drawn without pyplot's global state."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns_n = min(panels_n, COLUMNS_N)
    rows_n = -(-panels_n // columns_n)
    # One or two panels would be stretched over the page; a panel keeps about the width it has among four.
    width_in = PAGE_WIDTH_IN * (0.5 if columns_n == 1 else 0.75 if columns_n == 2 else 1.0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in * rows_n + BOTTOM_IN))
        # Margins in inches rather than a layout engine: the panels are alike, and the page is drawn in half the time.
        grid = figure.subplots(
            rows_n,
            columns_n,
            sharex=True,
            sharey=True,
            squeeze=False,
            gridspec_kw={
                "left": LEFT_IN / width_in,
                "right": 1.0 - 0.05 / width_in,
                "bottom": BOTTOM_IN / figure.get_figheight(),
                "top": 1.0 - TOP_IN / figure.get_figheight(),
                "wspace": 0.1,
                "hspace": 0.35,
            },
        )
        axes = list(grid.flat)
        for spare in axes[panels_n:]:
            spare.set_visible(False)
        for ax in axes[:panels_n]:
            ax.grid(axis="y")
            ax.set_axisbelow(True)
        yield figure, axes[:panels_n]


def inline(figure: Figure, name: str, description: str) -> str:
    """SVG to stand inside the page: no prolog, no metadata, own ids, the page's colours and fonts."""
    buffer = io.StringIO()
    metadata: dict[str, Any] = {"Date": None}  # a date would make every report differ
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    # Two figures on a page use the same ids inside; a prefix keeps their references apart.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", svg)
    for role, colour in ROLES.items():
        svg = svg.replace(colour, f"var(--{role})")
    svg = re.sub(r"'DejaVu Sans'(, sans-serif)?", "var(--font)", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    share = figure.get_figwidth() / PAGE_WIDTH_IN
    label = f'role="img" aria-label="{description}" class="figure" style="max-width: {share:.0%}"'
    return svg.replace("<svg", f"<svg {label}", 1)
