"""Figures of a course of treatment: slowing in each session, and totals of the scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hbc_host.report.drawing import ROLES, draw, panels
from hbc_host.report.language import Language
from hbc_host.report.page import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hbc_host.report.course import ScaleThen, SessionThen, SiteThen

HEIGHT_IN = 1.6
LIMIT_LEAST_BPM = 2.0  # the scale never magnifies less than this


def effects_figure(sessions: Sequence[SessionThen], lang: Language) -> Drawing | None:
    """Slowing with its interval over the sessions, a panel per site; None with fewer than two sessions."""
    names = tuple(dict.fromkeys(site.site for one in sessions for site in one.sites))
    if len(sessions) < 2 or not names:
        return None
    from matplotlib.ticker import MaxNLocator

    ends = [end for one in sessions for site in one.sites for end in site.ci90_bpm if math.isfinite(end)]
    with panels(len(names), height_in=HEIGHT_IN) as (figure, axes):
        for ax, name in zip(axes, names, strict=True):
            ax.axhline(0, color=ROLES["muted"], linewidth=0.7)
            for place, one in enumerate(sessions, 1):
                for site in one.sites:
                    if site.site == name:
                        _draw_effect(ax, place, site)
            shown = name if len(name) <= 14 else name[:13] + "…"
            ax.set_title(shown.replace("$", r"\$"), fontsize=8.5, fontweight="bold", loc="left", color=ROLES["ink"])
            ax.set_xlim(0.5, len(sessions) + 0.5)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylim(min([*ends, -LIMIT_LEAST_BPM]) * 1.06, max([*ends, LIMIT_LEAST_BPM]) * 1.06)
        width_in, height_in = figure.get_size_inches()
        figure.supxlabel(lang.say("session"), y=0.04 / height_in, fontsize=8, color=ROLES["ink"])
        figure.supylabel(lang.say("slowing (bpm)"), x=0.02 / width_in, fontsize=8, color=ROLES["ink"])
        return draw(figure, "effects", lang.say("Slowing in each session, a panel per site"), lang)


def _draw_effect(ax: Axes, place: int, site: SiteThen) -> None:
    low, high = site.ci90_bpm
    if not all(math.isfinite(value) for value in (site.effect_bpm, low, high)):
        return
    coupled = site.verdict == "coupled"
    role = ROLES["series"] if coupled else ROLES["muted"]
    ax.vlines(place, low, high, color=role, alpha=0.5, linewidth=1.6)
    ax.plot(place, site.effect_bpm, "o", color=role, markerfacecolor=role if coupled else "white", markersize=4)


def scores_figure(scales: Sequence[ScaleThen], lang: Language) -> Drawing | None:
    """Totals over time, a panel per scale; None when no scale has two totals."""
    shown = [one for one in scales if len(one.totals) > 1]
    if not shown:
        return None
    first = min(one.totals[0].on for one in shown)
    with panels(len(shown), height_in=HEIGHT_IN, shared=False) as (figure, axes):
        for ax, one in zip(axes, shown, strict=True):
            scale = one.went.scale
            days = [(total.on - first).days for total in one.totals]
            ax.axhline(scale.remission_max, color=ROLES["muted"], linewidth=0.8, linestyle=(0, (4, 2)))
            response = one.totals[0].total * (1.0 - scale.response_pct / 100.0)
            ax.axhline(response, color=ROLES["muted"], linewidth=0.8, linestyle=(0, (1, 2)))
            ax.plot(
                days, [total.total for total in one.totals], "o-", color=ROLES["series"], markersize=4, linewidth=1.2
            )
            ax.set_ylim(0, max(total.total for total in one.totals) * 1.15 + 1)
            ax.set_title(scale.name, fontsize=8.5, fontweight="bold", loc="left", color=ROLES["ink"])
        width_in, height_in = figure.get_size_inches()
        label = lang.fill("days since {day}", day=first.isoformat())
        figure.supxlabel(label, y=0.04 / height_in, fontsize=8, color=ROLES["ink"])
        figure.supylabel(lang.say("total"), x=0.02 / width_in, fontsize=8, color=ROLES["ink"])
        return draw(figure, "scores", lang.say("Totals of the outcome scales over time"), lang)
