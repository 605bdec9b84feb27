"""The site x intensity map of page 1: numbers with a colour that means the same in every report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hbc_host.report import words
from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.page import Cell, Map, MapBlock, Row

if TYPE_CHECKING:
    from hbc_host.analysis import SiteResult, StepEffect

MAP_COLUMNS_N = 20  # more columns than this cannot be read on A4; longer maps continue below

# Fixed limits, not the range of this recording: a colour means the same effect in every report.
MAP_LIMITS_BPM = (0.5, 1.5, 3.0, 5.0)
# A step known no better than this could be nothing or the strongest class; a colour would claim more than is known.
MAP_UNCERTAIN_BPM = 5.0


def effect_map(sites: Sequence[SiteResult], lang: Language = ENGLISH) -> Map | None:
    """The map; None when no site has steps."""
    blocks = map_blocks(sites, lang)
    if not blocks:
        return None
    return Map(
        tuple(blocks),
        tuple(legend(lang)),
        lang.say("Legend of the map"),
        lang.say("speeding"),
        lang.say("slowing"),
        lang.say("n/a"),
        lang.say("too uncertain for a colour (±5 or wider)"),
    )


def map_blocks(sites: Sequence[SiteResult], lang: Language = ENGLISH) -> list[MapBlock]:
    """The map, cut into stretches of at most :data:`MAP_COLUMNS_N` steps."""
    numbers = sorted({step.step_n for site in sites for step in site.steps})
    by_number = [{step.step_n: step for step in site.steps} for site in sites]
    blocks = []
    for start in range(0, len(numbers), MAP_COLUMNS_N):
        chosen = numbers[start : start + MAP_COLUMNS_N]
        rows = tuple(_row(site, [map_cell(site, steps.get(n), n, lang) for n in chosen]) for site, steps in zip(
            sites, by_number, strict=True
        ))  # fmt: skip
        levels = [{steps[n].intensity_pct for steps in by_number if n in steps} for n in chosen]
        # One head for all sites is only true if all sites had the same intensity in that step.
        if all(len(level) == 1 and None not in level for level in levels):
            heads = tuple(lang.short(next(iter(level))) for level in levels)
            blocks.append(MapBlock(lang.say("Intensity, %"), heads, rows))
        else:
            blocks.append(MapBlock(lang.say("Step"), tuple(map(str, chosen)), rows))
    return blocks


def _row(site: SiteResult, found: Sequence[Cell]) -> Row:
    verdict = words.decided(site)
    return Row((Cell(site.site), *found), verdict, words.VERDICT_SHAPE[verdict])


def map_cell(site: SiteResult, step: StepEffect | None, step_n: int, lang: Language = ENGLISH) -> Cell:
    """Number, shade and hint of one cell; a missing or unusable step is hatched, never zero."""
    where = lang.fill("{site}, step {step}", site=site.site, step=step_n)
    if step is None or not step.usable or step.effect_bpm != step.effect_bpm:
        return Cell(lang.say("n/a"), "none", lang.fill("{where}: not usable", where=where))
    if step.intensity_pct is not None:
        where += f" ({lang.short(step.intensity_pct)} %)"
    text = lang.number(step.effect_bpm)
    hint = lang.fill(
        "{where}: slowing {fall} bpm, {interval_name} {span}",
        where=where,
        fall=text,
        interval_name=lang.say(words.STEP_INTERVAL),
        span=lang.interval(step.low_bpm, step.high_bpm),
    )
    return Cell(text, _shade(step), hint)


def _shade(step: StepEffect) -> str:
    if not step.high_bpm - step.low_bpm <= 2 * MAP_UNCERTAIN_BPM:
        return "wide"
    level = sum(abs(step.effect_bpm) >= limit for limit in MAP_LIMITS_BPM)
    return "level0" if level == 0 else f"{'slow' if step.effect_bpm > 0 else 'fast'}{level}"


def legend(lang: Language = ENGLISH) -> list[tuple[str, str]]:
    """Shade and meaning, strongest speeding to strongest slowing."""
    limits = [lang.short(limit) for limit in MAP_LIMITS_BPM]
    between = lang.say("{low} to {high}")
    ranges = [between.format(low=low, high=high) for low, high in itertools.pairwise(limits)]
    ranges.append(lang.fill("over {limit}", limit=limits[-1]))
    fast = [(f"fast{n}", text) for n, text in enumerate(ranges, 1)]
    slow = [(f"slow{n}", text) for n, text in enumerate(ranges, 1)]
    return [*reversed(fast), ("level0", lang.fill("under {limit}", limit=limits[0])), *slow]
