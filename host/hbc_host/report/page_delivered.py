"""Stimulation that was delivered, beside the plan: what differs is marked, and said in words."""

from __future__ import annotations

from collections.abc import Sequence

from hbc_host.report.delivered import Delivery
from hbc_host.report.language import NONE, Language
from hbc_host.report.page import Bullets, Cell, Column, Row, Section, Table, Text, stack

#: Stands before a number that is not the planned one.
OTHER = "\N{NOT EQUAL TO} "


def delivery_section(deliveries: Sequence[Delivery], strays_n: int, lang: Language) -> Section | None:
    """Trains and pulses that arrived against those that were planned; None without a run.

    Parameters
    ----------
    deliveries : sequence of Delivery
    strays_n : int
        Trigger edges outside of every run.
    lang : Language
    """
    if not deliveries:
        return None
    say, planned = lang.say, is_planned(deliveries)
    columns = [Column(say("Site"), align="left"), Column(say("Trains delivered"))]
    columns += [Column(say("Trains planned"))] if planned else []
    columns += [Column(say("Pulses delivered"))]
    columns += [Column(say("Pulses planned"))] if planned else []
    columns += [Column(say("Trains of another length"))]
    rows = [_row(one, planned, lang) for one in deliveries]
    if len(rows) > 1:
        rows.append(_row(together(deliveries, lang), planned, lang, strong=True, other=differs(deliveries)))
    notes = [say("Counted from the trigger edges that the box recorded.")]
    if planned:
        notes.append(say("≠ marks a number that is not the planned one."))
    else:
        notes.append(say("No plan was laid down before this recording, so there is none to compare with."))
    if strays_n > 0:
        notes.append(
            lang.plural("{n} edge lies outside of every run.", "{n} edges lie outside of every run.", strays_n)
        )
    said = tuple((one.site, difference(one, lang)) for one in deliveries if one.other_trains)
    blocks = stack(Table(tuple(columns), tuple(rows)), Bullets(said) if said else None, Text(" ".join(notes), "small"))
    return Section("delivered", say("Stimulation delivered"), blocks)


def is_planned(deliveries: Sequence[Delivery]) -> bool:
    """True when there is a plan to compare with."""
    return any(one.planned_pulses_n is not None for one in deliveries)


def differs(deliveries: Sequence[Delivery]) -> tuple[bool, bool]:
    """Whether the trains, and whether the pulses, are not as planned at any site; sums alone could hide it."""
    return any(one.other_trains for one in deliveries), any(one.other_pulses for one in deliveries)


def together(deliveries: Sequence[Delivery], lang: Language) -> Delivery:
    """All sites as one."""
    return Delivery(
        lang.say("together"),
        sum(one.trains_n for one in deliveries),
        sum(one.pulses_n for one in deliveries),
        sum(one.odd_trains_n for one in deliveries),
        sum(one.planned_trains_n or 0 for one in deliveries),
        sum(one.planned_pulses_n or 0 for one in deliveries),
    )


def delivered_facts(deliveries: Sequence[Delivery], lang: Language) -> list[tuple[str, str]]:
    """Trains and pulses for the head of page 1, with the planned ones; nothing where nothing was planned."""
    if not is_planned(deliveries):
        return []
    one = together(deliveries, lang)
    trains, pulses = differs(deliveries)
    trains_text, pulses_text = marked(one.trains_n, trains, lang), marked(one.pulses_n, pulses, lang)
    return [
        (lang.say("Trains (planned)"), f"{trains_text} ({lang.count(one.planned_trains_n or 0)})"),
        (lang.say("Pulses (planned)"), f"{pulses_text} ({lang.count(one.planned_pulses_n or 0)})"),
    ]


def difference(one: Delivery, lang: Language) -> str:
    """How the trains differ from the plan, in words."""
    planned_n = one.planned_trains_n or 0
    if one.trains_n == 0:
        return lang.plural(
            "not stimulated; {n} train was planned.", "not stimulated; {n} trains were planned.", planned_n
        )
    counts = {"all": lang.count(one.trains_n), "planned": lang.count(planned_n)}
    if one.trains_n > planned_n:
        return lang.plural(
            "{n} train more than planned ({all} instead of {planned}). The result uses the first {planned}; what came "
            "after them counts here only.",
            "{n} trains more than planned ({all} instead of {planned}). The result uses the first {planned}; what came "
            "after them counts here only.",
            one.trains_n - planned_n,
            **counts,
        )
    return lang.plural(
        "{n} train fewer than planned ({all} instead of {planned}).",
        "{n} trains fewer than planned ({all} instead of {planned}).",
        planned_n - one.trains_n,
        **counts,
    )


def marked(value: int, is_other: bool, lang: Language) -> str:
    """A count, with the sign that it is not as planned."""
    return f"{OTHER if is_other else ''}{lang.count(value)}"


def _row(
    one: Delivery, planned: bool, lang: Language, *, strong: bool = False, other: tuple[bool, bool] | None = None
) -> Row:
    trains, pulses = other or (one.other_trains, one.other_pulses)

    def count(value: int | None) -> str:
        return NONE if value is None else lang.count(value)

    found = [Cell(one.site, strong=strong), Cell(marked(one.trains_n, trains, lang), strong=strong or trains)]
    found += [Cell(count(one.planned_trains_n), strong=strong)] if planned else []
    found += [Cell(marked(one.pulses_n, pulses, lang), strong=strong or pulses)]
    found += [Cell(count(one.planned_pulses_n), strong=strong)] if planned else []
    return Row((*found, Cell(lang.count(one.odd_trains_n), strong=strong or one.odd_trains_n > 0)))
