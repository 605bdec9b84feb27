"""What a page shows of results: coupling so far, mean response, the map of sites and intensities, the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hbc_host.app import words
from hbc_host.app.cell import NONE, OK, WARN, Cell
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.i18n import mark, mark_plural

SLOWER, FASTER, UNCLEAR, EMPTY = "▼", "▲", "○", "·"
VERDICT_LEVEL = {"coupled": OK, "cannot_tell": WARN, "unusable": WARN}


def shown_coupling(live: LiveState) -> dict[str, Any]:
    """Coupling of the current site; between sites that of the last one that has any."""
    best = str(live.result.get("best_site") or "")
    site = best if best and live.state.get("phase") == "finished" else str(live.state.get("site") or "")
    if site in live.coupling:
        return live.coupling[site]
    if site and live.state.get("phase") in ("rest", "stimulating", "pause"):
        return {}
    return list(live.coupling.values())[-1] if live.coupling else {}


def coupling_cells(live: LiveState, say: Words) -> dict[str, Cell]:
    """Effect, interval, p and verdict of the current site, with what they are worth so far."""
    found = shown_coupling(live)
    effect_bpm, verdict = found.get("effect_bpm"), str(found.get("verdict") or "")
    site = str(found.get("site") or live.state.get("site") or "")
    if effect_bpm is None:
        text = say.say(words.NOT_ENOUGH)
        if found.get("trains_n"):
            text += say.several(mark_plural(" ({n} train)", " ({n} trains)"), int(found["trains_n"]))
        return {
            "coupling_site": Cell(site),
            "effect": Cell(words.DASH),
            "interval": Cell(""),
            "verdict": Cell(text),
        } | {"adjusted": Cell("")}
    p_value, trains_n = found.get("p_value"), found.get("trains_n") or 0
    shown_p = "" if p_value is None else f"p = {say.number(p_value, 3)}, "
    adjusted = mark("final for this site; not adjusted for the other sites") if found.get("final") else ""
    return {
        "coupling_site": Cell(site),
        "effect": Cell(slowing(effect_bpm, say), VERDICT_LEVEL.get(verdict, NONE)),
        "interval": Cell(say.say(mark("90 % interval {interval}"), interval=say.interval(found.get("ci90_bpm")))),
        "verdict": Cell(
            say.of(words.VERDICTS, verdict)
            + say.several(mark_plural(" ({p}{n} train)", " ({p}{n} trains)"), int(trains_n), p=shown_p),
            VERDICT_LEVEL.get(verdict, NONE),
        ),
        "adjusted": Cell(say.say(adjusted or words.NOT_ADJUSTED)),
    }


def slowing(effect_bpm: float, say: Words) -> str:
    """``3.1 bpm slower``; the sign in words."""
    text = mark("{n} bpm slower") if effect_bpm >= 0 else mark("{n} bpm faster")
    return say.say(text, n=say.number(abs(effect_bpm), 1))


def response(live: LiveState, say: Words) -> dict[str, Any]:
    """The train-locked mean response of the current site, to be drawn; with a caption."""
    found = shown_coupling(live)
    curve = found.get("mean_response") or {}
    trains_n = int(found.get("trains_n") or 0)
    averaged = mark_plural("{n} train with interval", "mean of {n} trains with interval")
    caption = say.several(averaged, trains_n) if curve else say.say(words.NOT_ENOUGH)
    if curve and not found.get("final"):
        caption += ", " + say.say(words.NOT_ADJUSTED)
    if found.get("site"):
        caption = f"{found['site']}: {caption}"
    keys = ("lag_s", "bpm", "low_bpm", "high_bpm")
    return {"kind": "response", "caption": caption, **{key: list(curve.get(key) or ()) for key in keys}}


def site_map(live: LiveState, say: Words) -> dict[str, Any]:
    """Sites by intensities: a shape and a number in each cell, and a sentence for those who cannot see it."""
    sites = live.sites()
    columns = sorted({float(train["intensity_mso_pct"]) for site in sites for train in site.get("trains") or ()})
    best = str(live.result.get("best_site") or "")
    rows = []
    for site in sites:
        name = str(site.get("name"))
        steps = {float(step["intensity_pct"]): step for step in live.coupling.get(name, {}).get("steps") or ()}
        kind = say.say(mark("control")) if site.get("control") else ""
        rows.append(
            {
                "site": name,
                "note": say.say(mark("best")) if name == best else kind,
                "now": name == live.state.get("site"),
                "cells": [_map_cell(steps.get(column), say) for column in columns],
            }
        )
    return {"kind": "map", "columns": [say.number(column) for column in columns], "rows": rows}


def _map_cell(step: Mapping[str, Any] | None, say: Words) -> dict[str, str]:
    effect_bpm = None if step is None else step.get("effect_bpm")
    if step is None or effect_bpm is None:
        return {"mark": EMPTY, "text": "", "title": say.say(words.NOT_ENOUGH), "level": NONE}
    ci90_bpm: Sequence[float] | None = step.get("ci90_bpm")
    mark_, level = UNCLEAR, NONE
    if not ci90_bpm or None in ci90_bpm:
        pass
    elif ci90_bpm[0] > 0:
        mark_, level = SLOWER, OK
    elif ci90_bpm[1] < 0:
        mark_, level = FASTER, WARN
    title = f"{slowing(effect_bpm, say)} ({say.interval(ci90_bpm)})"
    return {"mark": mark_, "text": say.number(effect_bpm, 1), "title": title, "level": level}


def result_lines(live: LiveState, say: Words) -> list[str]:
    """What stands at the end: each site's verdict, the best one, the threshold; empty before."""
    result = live.result
    if not result:
        return []
    lines = []
    for code, opening in OPENINGS.items():
        names = [str(site.get("site")) for site in result.get("sites") or () if site.get("verdict") == code]
        if names:
            lines.append(say.say(opening, sites=", ".join(names)))
    if result.get("best_site"):
        chance = result.get("probability")
        text = mark("Best site: {site}") if chance is None else mark("Best site: {site} (probability {p} %)")
        shown = "" if chance is None else say.number(100.0 * chance)
        lines.append(say.say(text, site=result["best_site"], p=shown))
    lines.append(_threshold_line(result.get("threshold") or {}, say))
    return [line for line in lines if line]


OPENINGS = {
    "coupled": mark("Coupled at {sites}"),
    "not_shown": mark("Coupling not shown at {sites}"),
    "cannot_tell": mark("Cannot be told from other rhythms at {sites}"),
    "unusable": mark("Nothing usable at {sites}"),
}


def _threshold_line(threshold: Mapping[str, Any], say: Words) -> str:
    if not threshold:
        return ""
    if threshold.get("found") != "found":
        return say.say(mark("Threshold: not determined"))
    interval = say.interval(threshold.get("ci95_pct"), 0)
    text = mark("Threshold {n} % of stimulator output (95 % interval {interval})")
    return say.say(text, n=say.number(threshold.get("threshold_pct")), interval=interval)
