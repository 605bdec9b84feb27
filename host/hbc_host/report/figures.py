"""The figures of the report, a panel per site: the mean response to a train, and the slowing in each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hbc_host.report import words
from hbc_host.report.comparing import threshold_sentence
from hbc_host.report.drawing import ROLES, draw, panels
from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.page import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hbc_host.analysis import Analysis, SiteResult, StepEffect

CLEAR_HALF_WIDTH_BPM = 5.0  # half an interval; steps known no better do not set the scale


def response_figure(analysis: Analysis, lang: Language = ENGLISH) -> Drawing | None:
    """Mean heart-rate change locked to train onset, one panel per site, one scale for all; behind it that of rest.

    Returns
    -------
    Drawing or None
        None when no site has a response.
    """
    shown = analysis.sites
    if all(site.response is None for site in shown):
        return None
    with panels(len(shown), height_in=1.75) as (figure, axes):
        for ax, site in zip(axes, shown, strict=True):
            _draw_response(ax, site, lang, train_s=analysis.protocol.train_s)
        low, high = _shared_range([line for site in shown for line in _response_lines(site)])
        axes[0].set_ylim(low, high)
        _label(figure, lang.say("seconds after the train starts"), lang.say("heart-rate change (bpm)"))
        return draw(figure, "response", lang.say("Mean heart-rate change after train onset, per site"), lang)


def dose_figure(analysis: Analysis, lang: Language = ENGLISH) -> Drawing | None:
    """Slowing per step against intensity (or step number), one panel per site, one scale for all.

    A fitted dose response and its threshold stand behind the steps where a threshold was found.

    Returns
    -------
    Drawing or None
        None when no step is usable.
    """
    shown = [site for site in analysis.sites if site.steps]
    if not any(step.usable for site in shown for step in site.steps):
        return None
    by_intensity = all(step.intensity_pct is not None for site in shown for step in site.steps)
    with panels(len(shown), height_in=1.75) as (figure, axes):
        for ax, site in zip(axes, shown, strict=True):
            _draw_dose(ax, site, lang, by_intensity=by_intensity)
        axes[0].set_ylim(*_dose_range(shown))
        for ax, site in zip(axes, shown, strict=True):
            _mark_outside(ax, site.steps, by_intensity=by_intensity)
        unit = lang.say("intensity (% of stimulator output)") if by_intensity else lang.say("step (order of delivery)")
        _label(figure, unit, lang.say("slowing in the step (bpm)"))
        return draw(figure, "dose", lang.say("Slowing per step, per site"), lang)


def _draw_response(ax: Axes, site: SiteResult, lang: Language, *, train_s: float) -> None:
    response = site.response
    ax.axvspan(0, train_s, ymin=0, ymax=0.06, color=ROLES["train"], linewidth=0)
    ax.axvspan(0, train_s, color=ROLES["train"], alpha=0.13, linewidth=0)
    ax.axhline(0, color=ROLES["muted"], linewidth=0.7)
    _title(ax, site, f"n = {response.trains_n if response else 0}")
    if response is None:
        ax.text(0.5, 0.75, lang.say("too few usable trains"), transform=ax.transAxes, ha="center", color=ROLES["muted"])
        return
    if site.rest_null is not None:
        null = site.rest_null
        ax.fill_between(null.time_s, -null.half_bpm, null.half_bpm, color=ROLES["muted"], alpha=0.16, linewidth=0)
    ax.fill_between(
        response.time_s, response.low_bpm, response.high_bpm, color=ROLES["series"], alpha=0.22, linewidth=0
    )
    ax.plot(response.time_s, response.change_bpm, color=ROLES["series"], linewidth=1.6)
    ax.set_xlim(float(response.time_s[0]), float(response.time_s[-1]))


def _draw_dose(ax: Axes, site: SiteResult, lang: Language, *, by_intensity: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    usable = [step for step in site.steps if step.usable]
    x = np.array([_position(step, by_intensity) for step in usable])
    effect = np.array([step.effect_bpm for step in usable])
    ax.axhline(0, color=ROLES["muted"], linewidth=0.7)
    if by_intensity:
        _draw_threshold(ax, site)
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
    _title(ax, site, lang.fill("{n} of {all}", n=len(usable), all=len(site.steps)))


def _draw_threshold(ax: Axes, site: SiteResult) -> None:
    """The fitted dose response and the threshold with its interval, behind the steps."""
    found = site.threshold
    if found is None or found.curve is None or not threshold_sentence(site):
        return
    curve = found.curve
    ax.plot(curve.intensities_pct, curve.response_bpm, color=ROLES["warn"], linewidth=1.1, zorder=1)
    if found.found == "found" and words.decided(site) == "coupled":
        ax.axvspan(*found.ci95_pct, color=ROLES["warn"], alpha=0.12, linewidth=0, zorder=0)
        ax.axvline(found.threshold_pct, color=ROLES["warn"], linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)


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
