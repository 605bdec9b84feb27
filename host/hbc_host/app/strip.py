"""The status strip of the page: box, leads, signal, lost, drift, trigger, disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hbc_host.app import words
from hbc_host.app.cell import NONE, OK, STOP, WARN, Cell
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.i18n import mark, mark_plural

DISK_LOW_S = 1800.0
DRIFT_MAX_PPM = 100.0
DRIFT_ERROR_MAX_PPM = 30.0
STRIP = ("box", "leads", "signal", "lost", "drift", "trigger", "disk")
NO_TRIGGER_YET = mark("none yet")


def strip(live: LiveState, say: Words) -> dict[str, Cell]:
    """The status strip: box, leads, signal, lost, drift, trigger, disk."""
    box, known = live.box, bool(live.box.get("connected"))
    unknown = Cell(say.say(mark("not known")))
    name = str((live.hello.get("box") or {}).get("unique_id") or "")[-6:]
    found = {"box": Cell(say.say(mark("no box")), STOP)}
    if not live.state:
        found["box"] = unknown
    elif known:
        found["box"] = Cell(say.say(mark("connected")) + (f" {name}" if name else ""), OK)
    found["leads"] = _leads(box, say) if known else unknown
    found["signal"] = _signal(box, say) if known else unknown
    found["lost"] = _lost(box, say) if known else unknown
    found["drift"] = _drift(live, box, say) if known else unknown
    found["trigger"] = _trigger(live, say) if known else unknown
    found["disk"] = _disk(box, say)
    return found


def _leads(box: Mapping[str, Any], say: Words) -> Cell:
    leads = box.get("leads")
    if leads is None:
        return Cell(say.say(mark("not known")))
    if leads in (0, "", "on", "ok", "good"):
        return Cell(say.say(mark("on")), OK)
    return Cell(say.say(mark("OFF")) + (f" {leads}" if isinstance(leads, str) else ""), STOP)


def _signal(box: Mapping[str, Any], say: Words) -> Cell:
    state = str(box.get("signal_state") or "")
    if not state:
        return Cell(say.say(mark("not known")))
    state = state.replace("-", "_").replace(" ", "_")
    level = {"good": OK, "noisy": WARN, "hum": WARN}.get(state, STOP)
    return Cell(say.of(words.SIGNALS, state), level)


def _lost(box: Mapping[str, Any], say: Words) -> Cell:
    lost_n, gaps_n = int(box.get("lost_frames_n") or 0), int(box.get("gaps_n") or 0)
    text = say.several(mark_plural("{n} frame", "{n} frames"), lost_n)
    text += ", " + say.several(mark_plural("{n} gap", "{n} gaps"), gaps_n)
    return Cell(text, WARN if lost_n or gaps_n else OK)


def _drift(live: LiveState, box: Mapping[str, Any], say: Words) -> Cell:
    drift_ppm, clock = box.get("drift_ppm"), live.state.get("clock") or {}
    error_ppm = clock.get("drift_error_ppm", 0.0)
    # The first seconds say little: a fit that may be wrong by so much is no number to show.
    if drift_ppm is None or error_ppm is None or error_ppm > DRIFT_ERROR_MAX_PPM:
        return Cell(say.say(mark("not known yet")))
    return Cell(f"{say.number(drift_ppm, 1)} ppm", WARN if abs(drift_ppm) > DRIFT_MAX_PPM else OK)


def _trigger(live: LiveState, say: Words) -> Cell:
    level = WARN if "no_triggers" in live.problem_codes else OK
    last_s, now_s = live.box.get("last_trigger_s"), live.now_s
    if last_s is None or now_s is None:
        return Cell(say.say(NO_TRIGGER_YET), level if level == WARN else NONE)
    return Cell(say.say(mark("{n} s ago"), n=say.number(max(0.0, now_s - last_s))), level)


def _disk(box: Mapping[str, Any], say: Words) -> Cell:
    left_s = box.get("disk_left_s")
    if left_s is None:
        return Cell(say.say(mark("not known")))
    hours = left_s / 3600.0
    text = (
        say.say(mark("{n} h left"), n=say.number(hours, 1)) if hours < 24.0 else say.say(mark("more than a day left"))
    )
    return Cell(text, OK if left_s > DISK_LOW_S else STOP)
