"""From the state of a session to what stands on the page, place by place; the terminal shows the same places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hbc_host.app import words
from hbc_host.app.cell import NONE, OK, STOP, WARN, Cell
from hbc_host.app.details import OVER, said
from hbc_host.app.state import LiveState
from hbc_host.app.strip import STRIP, strip
from hbc_host.app.words import Words
from hbc_host.i18n import mark, mark_plural

FEEDS = {
    "waiting": (mark("waiting for the session"), WARN),
    "live": (mark("live"), OK),
    "lost": (mark("FEED LOST - what you see is old"), STOP),
    "over": (mark("session over"), NONE),
}


def cells(live: LiveState, say: Words, feed: str) -> dict[str, Cell]:
    """All places of the page.

    Parameters
    ----------
    live : LiveState
    say : Words
    feed : str
        ``"waiting"``, ``"live"``, ``"lost"`` or ``"over"``.
    """
    text, level = FEEDS[feed]
    found = {"feed": Cell(say.say(text), level), **strip(live, say), **heart(live, say), **now(live, say)}
    if feed == "over":  # nobody looks at the box any more: that it is gone is no fault
        found |= {name: Cell(words.DASH) for name in (*STRIP, "rate", "rr")}
        found["rate_note"] = Cell("")
    return found


def heart(live: LiveState, say: Words) -> dict[str, Cell]:
    """Heart rate and RR of now; a dash when no beat can be seen."""
    beat = live.beat
    level = STOP if any(not alarm.get("over") for alarm in live.alarms()) else OK
    if beat is None:
        missing = STOP if "heart_not_visible" in live.problem_codes else NONE
        text = say.say(mark("heart not visible")) if missing == STOP else say.say(words.NOT_ENOUGH)
        return {"rate": Cell(words.DASH, missing), "rr": Cell(words.DASH, missing), "rate_note": Cell(text, missing)}
    note = "" if beat.get("counted", True) else say.say(mark("this beat is not counted"))
    return {
        "rate": Cell(say.number(beat.get("rate_bpm")), level),
        "rr": Cell(say.number(beat.get("rr_ms")), level),
        "rate_note": Cell(note),
    }


def now(live: LiveState, say: Words) -> dict[str, Cell]:
    """What happens now: phase, site, step, train, time to the next, pulses, observation."""
    state = live.state
    phase, site = str(state.get("phase") or "waiting"), str(state.get("site") or "")
    phase = phase if state else "connecting"
    phase = "ended" if state.get("over_why") and phase != "finished" else phase
    level = {"no_box": STOP, "move_coil": WARN, "waiting": WARN, "rest": OK, "stimulating": OK, "pause": OK}.get(
        phase, NONE
    )
    blank = Cell(words.DASH)
    found = {"phase": Cell(say.of(words.PHASES, phase, site=site), level), "site": Cell(site or words.DASH)}
    found["step"] = found["train"] = found["next"] = found["pulses"] = blank
    if state.get("steps_n"):
        intensity = state.get("intensity_mso_pct")
        shown = words.DASH if intensity is None else say.number(intensity)
        text = mark("{k} of {n}, {intensity} %")
        found["step"] = Cell(say.say(text, k=state.get("step_k") or 0, n=state["steps_n"], intensity=shown))
    if state.get("trains_n"):
        found["train"] = Cell(say.say(mark("{k} of {n}"), k=state.get("train_k") or 0, n=state["trains_n"]))
    found["next"] = _next(live, say)
    if state.get("pulses_planned_n") is not None:
        delivered_n, planned_n = state.get("pulses_delivered_n") or 0, state["pulses_planned_n"]
        over = WARN if delivered_n > planned_n else NONE
        found["pulses"] = Cell(say.say(mark("{k} of {n}"), k=delivered_n, n=planned_n), over)
    found["observation"] = _observation(state, say)
    return found


def _next(live: LiveState, say: Words) -> Cell:
    state = live.state
    if live.has_ended:
        return _last_wait(live, say)
    if (ready_s := live.presses_ready_s) is not None:
        return Cell(say.say(mark("R is pressed by the demonstration in {n} s"), n=say.number(ready_s)), WARN)
    rest_left_s, next_s = state.get("rest_left_s"), state.get("next_train_s")
    if state.get("phase") == "rest" and rest_left_s is not None:
        return Cell(say.say(mark("rest: {n} s more"), n=say.number(rest_left_s)))
    if state.get("phase") != "pause" or next_s is None:
        return Cell(words.DASH)
    if next_s < 0.5:
        return Cell(say.say(mark("next train: now")))
    return Cell(say.say(mark("next train in {n} s"), n=say.number(next_s)))


def _last_wait(live: LiveState, say: Words) -> Cell:
    """How long a session that is finished waits for its end."""
    ends_s = live.state.get("ends_in_s")
    if live.state.get("over_why"):
        return Cell("" if live.result else say.say(mark("The result is being made")))
    if live.state.get("observation"):
        return Cell(say.say(mark("It waits for the end of the observation (O)")), WARN)
    if ends_s is None:
        return Cell("")
    text = mark("Press E to end it; it ends by itself in {minutes} min {seconds} s")
    left_s = int(ends_s)
    return Cell(say.say(text, minutes=left_s // 60, seconds=f"{left_s % 60:02d}"))


def over_words(live: LiveState, say: Words, feed: str) -> str:
    """Why nothing can be noted any more, and what to do instead; empty while a session takes words."""
    why = str(live.state.get("over_why") or "")
    return said(why, say) if why else say.say(OVER if feed == "over" else "")


def _observation(state: Mapping[str, Any], say: Words) -> Cell:
    watched = state.get("observation")
    if not watched:
        return Cell("")
    seconds = int(watched.get("elapsed_s") or 0)
    what = say.of(words.EVENTS, str(watched.get("what") or "other"))
    text = mark("Observing after {what}: {minutes} min {seconds} s")
    return Cell(say.say(text, what=what, minutes=seconds // 60, seconds=f"{seconds % 60:02d}"), WARN)


def problem_lines(live: LiveState, say: Words, feed: str) -> list[Cell]:
    """One line for each thing that is wrong now, the urgent ones first; none when the session is over."""
    lines: list[Cell] = []
    if feed == "over":
        return lines
    for problem in live.problems():
        level = STOP if problem.get("code") in words.URGENT else WARN
        lines.append(Cell(problem_text(problem, say), level))
    for alarm in live.alarms():
        if alarm.get("acknowledged_by"):
            by = str(alarm["acknowledged_by"])
            text = say.say(mark("{alarm} (acknowledged by {by})"), alarm=say.alarm(alarm), by=by)
            lines.append(Cell(text, STOP))
    return sorted(lines, key=lambda cell: cell.level != STOP)


def open_problems(live: LiveState, say: Words) -> list[dict[str, str]]:
    """Problems that nobody has acknowledged yet: code and sentence."""
    return [
        {"code": str(problem.get("code", "")), "text": problem_text(problem, say)}
        for problem in live.problems()
        if not problem.get("acknowledged_by")
    ]


def problem_text(problem: Mapping[str, Any], say: Words) -> str:
    """One sentence for a problem, with what was measured when that says more."""
    code, text = str(problem.get("code", "")), str(problem.get("text", ""))
    if code not in words.PROBLEMS:
        return said(text, say)
    detail = f" ({said(text, say)})" if code in words.MEASURED else ""
    return say.of(words.PROBLEMS, code) + detail


def alarm_prompt(live: LiveState, say: Words, feed: str) -> dict[str, Any] | None:
    """The oldest alarm that nobody has acknowledged, as the full-screen prompt shows it; none after the session."""
    waiting = live.to_acknowledge()
    if not waiting or feed == "over":
        return None
    alarm = waiting[0]
    over = say.say(mark("It is over, but look at the patient.")) if alarm.get("over") else ""
    more = ""
    if len(waiting) > 1:
        more = say.several(mark_plural("{n} more alarm waits.", "{n} more alarms wait."), len(waiting) - 1)
    return {"id": alarm.get("id"), "text": say.alarm(alarm), "over": over, "more": more}
