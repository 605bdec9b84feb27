"""The words on page 1 for a session that did not go through its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbc_host.report.session_words import clock

if TYPE_CHECKING:
    from hbc_host.report.early_end import EarlyEnd, ShortSite
    from hbc_host.report.language import Language


def early_words(early: EarlyEnd | None, lang: Language) -> str:
    """Who ended the session, when, at which site, what was given and what not; empty when all was given."""
    if early is None:
        return ""
    others = [one for one in early.short if not early.is_stopped or one.site != early.site]
    never = [one.site for one in others if one.trains_n == 0]
    sentences = [_opening(early, lang)]
    if why := early.why.rstrip(" .…\t\r\n"):
        sentences.append(lang.fill("Reason given: {why}.", why=why))
    counts = {"given": lang.count(early.trains_n), "planned": lang.count(early.planned_n)}
    sentences.append(lang.fill("In all, {given} of {planned} planned trains were recorded.", **counts))
    left = [_left(one, lang) for one in others if one.trains_n]
    if left:
        sentences.append(lang.fill("Left before the end: {sites}.", sites=lang.listing(left)))
    if never:
        sentences.append(lang.fill("Without any recorded train: {sites}.", sites=lang.listing(never)))
    return " ".join(sentences)


def _opening(early: EarlyEnd, lang: Language) -> str:
    if not early.is_stopped:
        return lang.say("Not all that was planned was recorded.")
    where, name = _where(early, lang), early.by or lang.say("the operator")
    if early.at_s is None:
        if not early.is_noted:
            return lang.fill("Ended early: the recording breaks off {where}.", where=where)
        return lang.fill("Stopped early: {name} ended the session {where}.", name=name, where=where)
    at = clock(early.at_s)
    if not early.is_noted:
        return lang.fill("Ended early: the recording breaks off at {clock} (min:s), {where}.", clock=at, where=where)
    return lang.fill(
        "Stopped early: {name} ended the session at {clock} (min:s of the recording), {where}.",
        name=name,
        clock=at,
        where=where,
    )


def _where(early: EarlyEnd, lang: Language) -> str:
    if not early.site:
        return lang.say("before the first site")
    here = next((one for one in early.short if one.site == early.site), None)
    if here is None:
        return lang.fill("after the last train at {site}", site=early.site)
    return lang.fill("at {site} after {given} of {planned} trains", **_counts(here, lang))


def _left(one: ShortSite, lang: Language) -> str:
    if one.left_s is None:
        return lang.fill("{site} after {given} of {planned} trains", **_counts(one, lang))
    return lang.fill(
        "{site} at {clock} after {given} of {planned} trains", clock=clock(one.left_s), **_counts(one, lang)
    )


def _counts(one: ShortSite, lang: Language) -> dict[str, str]:
    return {"site": one.site, "given": lang.count(one.trains_n), "planned": lang.count(one.planned_n)}
