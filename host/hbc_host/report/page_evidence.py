"""The pages after the first: curves, the sites against each other, what others compute, where it is all from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbc_host.report import comparing, words
from hbc_host.report.figures import dose_figure, response_figure
from hbc_host.report.language import Language
from hbc_host.report.page import Block, Cell, Code, Column, Figure, Row, Section, Table, Text, cells

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis


def evidence_section(analysis: Analysis, lang: Language, *more: Block) -> Section:
    """The curves; ``more`` stands after them."""
    blocks: list[Block] = []
    response, dose = response_figure(analysis, lang), dose_figure(analysis, lang)
    if response is not None:
        caption = _response_caption(analysis, lang)
        blocks.append(Figure(lang.say("Heart rate around the train"), response, caption))
    if dose is not None:
        blocks.append(Figure(lang.say("Slowing in each step"), dose, _dose_caption(analysis, lang)))
    if not blocks:
        blocks.append(Text(lang.say("No site gave enough clean beats around its trains to draw a response.")))
    return Section("evidence", lang.say("Evidence"), (*blocks, *more))


def _response_caption(analysis: Analysis, lang: Language) -> str:
    caption = lang.fill(
        "Mean change of heart rate, with its {interval_name} (shaded). The yellow bar is the train; slowing points "
        "down; all panels share one scale; n is the number of trains averaged.",
        interval_name=lang.say(words.STEP_INTERVAL),
    )
    rests = [site.rest_null.rest_s for site in analysis.sites if site.rest_null is not None]
    if rests:
        caption += " " + lang.fill(
            "The grey band is rest: where such a mean lies about nine times out of ten, at any one instant, when "
            "nothing happens to the heart (from {rest} s of rest). It is for the eye; p looks at the whole run.",
            rest=lang.number(max(rests), 0),
        )
    key = ", ".join(f"{words.VERDICT_SHAPE[verdict]} {lang.say(word)}" for verdict, word in words.VERDICT_WORD.items())
    return f"{caption} {key}."


def _dose_caption(analysis: Analysis, lang: Language) -> str:
    caption = lang.fill(
        "One dot per step with its {interval_name}; above zero is slowing; the count is steps used; a triangle points "
        "to a value beyond the scale; a cross is a step that could not be used.",
        interval_name=lang.say(words.STEP_INTERVAL),
    )
    if any(comparing.threshold_sentence(site) for site in analysis.sites):
        caption += " " + lang.say(
            "The orange line is the fitted dose response; where a threshold was found it is dashed, with its interval."
        )
    return f"{caption} " + lang.say(
        "A threshold cannot be read from single dots: steps of one train each leave it uncertain by several steps."
    )


def comparison_section(analysis: Analysis, lang: Language) -> Section | None:
    """The sites against each other; None when there are no two."""
    pairs, say = comparing.compared(analysis), lang.say
    if not pairs or analysis.comparison is None:
        return None
    columns = (
        Column(say("Site"), align="left"),
        Column(say("Slowing measured"), say("bpm")),
        Column(say("Allowing for chance"), say("bpm")),
        Column(say(comparing.THRESHOLD_INTERVAL), say("bpm")),
        Column(say("Probability that the heart slows most here")),
    )
    rows = []
    for site, effect in pairs:
        verdict = words.decided(site)
        rows.append(
            Row((Cell(site.site), *cells(*comparing.site_cells(effect, lang))), verdict, words.VERDICT_SHAPE[verdict])
        )
    note = lang.fill(
        "“Allowing for chance” pulls every site towards the mean of all, the more the less is known about it: the "
        "largest of several uncertain numbers is usually too large. If all sites had one effect, differences like "
        "these would come with p{p} (Cochran's Q, Welch's test); below 0.05 a difference counts as shown. The "
        "probabilities suppose that sites differ at all; without a shown difference they decide nothing.",
        p=lang.p_sign(analysis.comparison.difference_p),
    )
    blocks = (Table(columns, tuple(rows)), Text(note, "small"))
    return Section("compared", say("The sites against each other"), blocks)


def published_section(analysis: Analysis, lang: Language) -> Section | None:
    """What others compute from the same beats; None when nothing of it could be computed."""
    if all(site.published is None and site.secondary is None for site in analysis.sites):
        return None
    say = lang.say
    columns = (
        Column(say("Site"), align="left"),
        Column("", say("mean log power")),
        Column("", lang.fill("trains above {limit}", limit=lang.short(comparing.PUBLISHED_THRESHOLD))),
        Column("", "p"),
        Column("", say("ms")),
        Column("", "p"),
        Column("", say("ms per s")),
    )
    groups = (
        ("", 1),
        (say(comparing.PUBLISHED_LABEL), 2),
        (say("T2circ"), 2),
        (say("harmonic F"), 1),
        (say("RR slope, 45 s"), 1),
    )
    rows = tuple(Row(cells(site.site, *comparing.published_cells(site, lang))) for site in analysis.sites)
    note = f"{say(comparing.COMPARISON_ONLY)} " + say(
        "The published score measures how large the rhythm of the heart rate is at the pace of the trains, whether the "
        "trains made it or not: a lively heart scores high without stimulation. T2circ and harmonic F do not know "
        "slowing from speeding, and a rhythm of the heart's own at that pace makes them small. The RR slope is the "
        "trend of the interval between beats over the first 45 s; positive is slowing."
    )
    blocks = (Table(columns, rows, groups), Text(note, "small"))
    return Section("aside", say("For comparison: numbers that others use"), blocks)


def provenance_section(
    lang: Language, *, source: str, command: str, made: str, version: str, drawn_from: str
) -> Section:
    """Where the numbers are from, and what makes them again."""
    if drawn_from:
        told = lang.fill(
            "This page was drawn again by hbc {version} on {made} from the saved result {saved}; nothing was computed "
            "anew. Its numbers come from {source} and this command:",
            version=version,
            made=made,
            saved=drawn_from,
            source=source,
        )
    else:
        told = lang.fill(
            "Made by hbc {version} on {made} from {source}. The same input and this command give the same numbers:",
            version=version,
            made=made,
            source=source,
        )
    how = lang.fill(
        "How it is computed. R-peaks and stimulator triggers carry the time of one clock, that of the box. Heart rate "
        "is locked to the start of each train and compared with the heart's own fluctuation, estimated from this "
        "recording (rest and residual). p is one-sided for slowing; the {interval_name} lies above zero when p is "
        "below .05. Page 1 calls a site coupled when p stays below .05 after Holm's adjustment for the number of "
        "sites.",
        interval_name=lang.say(words.SITE_INTERVAL),
    )
    caution = f"{lang.say(words.RESEARCH_USE)} {lang.say(words.EVIDENCE)}"
    blocks = (Text(told), Code(command), Text(how, "small"), Text(caution, "small"))
    return Section("provenance", lang.say("Provenance"), blocks)
