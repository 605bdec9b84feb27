"""What the people at a session say: commands of a page become notes in the log, and change where the session stands.

Each word is a function of the session and of checked values. The note is what counts: a session that is resumed hears
its own notes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hbc_host.alarms import Alarm
from hbc_host.guided import INTENSITY, SITE_BEGINS, SITE_ENDS
from hbc_host.live import problems
from hbc_host.live.follow import Follow
from hbc_host.live.steps_now import Noted

TEXT_MAX_N = 1000
NAME_MAX_N = 80
SEVERITIES = ("mild", "moderate", "severe")
RATING_MAX = 10.0


class RefusedError(ValueError):
    """A word that cannot be taken now; the text says why."""


def take_command(follow: Follow, do: str, fields: Mapping[str, Any]) -> tuple[bool, str]:
    """Do what a client asked for; whether it was done, and a word about it for people."""
    word = COMMANDS.get(do)
    if word is None:
        return False, f"{do!r} is none of {', '.join(COMMANDS)}"
    try:
        return True, word(follow, fields)
    except RefusedError as why:
        return False, str(why)


def _text(fields: Mapping[str, Any], name: str, max_n: int = TEXT_MAX_N, *, needed: bool = False) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > max_n or not _can_be_kept(value):
        raise RefusedError(f"{name} must be text of at most {max_n} letters")
    if needed and not value.strip():
        raise RefusedError(f"{name} must be given")
    return value.strip()


def _can_be_kept(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a letter, which no file and no store takes
        return False
    return True


def _number(fields: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(f"{name} must be a number")
    if not low <= value <= high:  # so is no NaN, and an integer too large for a float neither
        raise RefusedError(f"{name} is outside {low:g} to {high:g}")
    return float(value)


def _acknowledge(follow: Follow, fields: Mapping[str, Any]) -> str:
    name, by = _text(fields, "alarm", NAME_MAX_N, needed=True), _text(fields, "by", NAME_MAX_N)
    if not (follow.alarms.acknowledge(name, by or "operator") or follow.problems.acknowledge(name, by or "operator")):
        raise RefusedError(f"no alarm or problem {name} stands")
    follow.noted.append(Noted("acknowledged", {"alarm": name, "by": by}))
    return f"{name} seen"


def _ready(follow: Follow, fields: Mapping[str, Any]) -> str:
    name = _text(fields, "site", NAME_MAX_N)
    idx = follow.next_site
    if name:
        idx = next((k for k, run in enumerate(follow.runs) if run.site == name), None)
        if idx is None:
            raise RefusedError(f"{name} is no site of this session")
        if idx in follow.sites:
            raise RefusedError(f"{name} was begun already")
    if follow.site is not None and not follow.site.is_over:
        raise RefusedError(f"{follow.site.run.site} is not over; skip_site leaves it")
    if idx is None or follow.ended:
        raise RefusedError("no site is left")
    if not follow.connected:
        raise RefusedError("the box is not heard: check cable and power")
    _refuse_over_cap(follow)
    follow.begin_site(idx, follow.now_us)
    return f"rest begins at {follow.runs[idx].site}"


def _refuse_over_cap(follow: Follow) -> None:
    """Pulses that the clinic does not allow are not undone by anybody's initials; a wrong setting can be put right."""
    if follow.pulses_over_cap:
        raise RefusedError("more pulses than the clinic allows: no further site, end the session")
    passed = follow.problems.standing.get(problems.OVER_CAP)
    if passed is not None and not passed.acknowledged_by:
        raise RefusedError("a cap of the clinic was passed: compare stimulator and protocol, then acknowledge (A)")


def _skip_site(follow: Follow, fields: Mapping[str, Any]) -> str:
    site_idx = follow.site_idx
    idx = site_idx if site_idx is not None and not follow.sites[site_idx].is_over else follow.next_site
    if idx is None:
        raise RefusedError("no site is left")
    by = _text(fields, "by", NAME_MAX_N)
    follow.noted.append(Noted("remark", {"text": f"{follow.runs[idx].site} is left", "by": by}))
    follow.end_site(idx)
    return f"{follow.runs[idx].site} is left"


def _rating(follow: Follow, fields: Mapping[str, Any]) -> str:
    site = _text(fields, "site", NAME_MAX_N) or (follow.site.run.site if follow.site is not None else "")
    if site not in {run.site for run in follow.runs}:
        raise RefusedError(f"{site} is no site of this session" if site else "no site has begun")
    value = _number(fields, "value", 0.0, RATING_MAX)
    follow.noted.append(Noted("rating", {"site": site, "value": value}))
    return f"{site}: {value:g}"


def _adverse_event(follow: Follow, fields: Mapping[str, Any]) -> str:
    what = _text(fields, "what", NAME_MAX_N, needed=True)
    severity = _text(fields, "severity", NAME_MAX_N, needed=True)
    if severity not in SEVERITIES:
        raise RefusedError(f"severity {severity!r} is none of {', '.join(SEVERITIES)}")
    note = {"what": what, "severity": severity, "text": _text(fields, "text"), "by": _text(fields, "by", NAME_MAX_N)}
    site = follow.site.run.site if follow.site is not None else ""
    at_us = follow.now_us + round(follow.away_s * 1e6)  # what the clock of a box that is away says now
    follow.observation = {"what": what, "severity": severity, "since_s": at_us * 1e-6}
    follow.noted.append(Noted("adverse_event", note | {"site": site, "at_us": at_us}))
    return f"noted: {what}; the observation timer runs"


def _observation_over(follow: Follow, fields: Mapping[str, Any]) -> str:
    if follow.observation is None:
        raise RefusedError("nobody is under observation")
    lasted_s = follow.observed_s
    by = _text(fields, "by", NAME_MAX_N, needed=True)
    follow.noted.append(Noted("observation_over", {"by": by, "lasted_s": round(lasted_s, 1)}))
    follow.observation = None
    return f"observed for {lasted_s / 60:.0f} min"


def _remark(follow: Follow, fields: Mapping[str, Any]) -> str:
    note = {"text": _text(fields, "text", needed=True), "by": _text(fields, "by", NAME_MAX_N)}
    follow.noted.append(Noted("remark", note))
    return "noted"


def _intensity(follow: Follow, fields: Mapping[str, Any]) -> str:
    site = follow.site
    if site is None or site.is_over:
        raise RefusedError("no site is under way")
    pct = _number(fields, "mso_pct", 0.1, 100.0)
    train = len(site.trains) - 1 if site.under_way else len(site.trains)
    planned_pct = site.planned_pct(train)
    if planned_pct is None:
        raise RefusedError("all trains of this site were given")
    note = {"site": site.run.site, "train": train, "mso_pct": pct, "by": _text(fields, "by", NAME_MAX_N)}
    _set_intensity(follow, note)
    follow.noted.append(Noted(INTENSITY, note))
    return f"train {train + 1}: {pct:g} %MSO, planned {planned_pct:g}"


def _set_intensity(follow: Follow, note: Mapping[str, Any]) -> None:
    site, train, pct = follow.site, note.get("train"), note.get("mso_pct")
    if site is None or not isinstance(train, int) or not isinstance(pct, int | float):
        return
    site.noted_pct[train] = float(pct)
    planned_pct = site.planned_pct(train)
    differs = planned_pct is not None and abs(pct - planned_pct) >= 0.5
    text = f"train {train + 1} stands at {pct:g} %MSO, planned {planned_pct:g}" if differs else ""
    follow.problem(problems.WRONG_INTENSITY, text)


def _end(follow: Follow, fields: Mapping[str, Any]) -> str:
    by, why = _text(fields, "by", NAME_MAX_N), _text(fields, "why")
    was_finished = follow.is_finished
    if follow.site_idx is not None:
        follow.end_site(follow.site_idx)
    follow.ended = True
    follow.noted.append(Noted("stopped", {"by": by, "why": why, "finished": was_finished}))
    return "the session ends"


COMMANDS: dict[str, Callable[[Follow, Mapping[str, Any]], str]] = {
    "acknowledge": _acknowledge,
    "ready": _ready,
    "rating": _rating,
    "adverse_event": _adverse_event,
    "observation_over": _observation_over,
    "remark": _remark,
    "intensity": _intensity,
    "skip_site": _skip_site,
    "end": _end,
}


def hear_note(follow: Follow, event: str, fields: Mapping[str, Any]) -> None:
    """A note of the log, when a session is taken up again; notes of its own hand are heard once only."""
    idx = fields.get("site_idx")
    known = isinstance(idx, int) and 0 <= idx < len(follow.runs)
    if event == SITE_BEGINS and known and isinstance(fields.get("begins_us"), int):
        follow.begin_site(int(idx), int(fields["begins_us"]))  # type: ignore[arg-type]  # an int: known
    elif event == SITE_ENDS and known:
        follow.end_site(int(idx))  # type: ignore[arg-type]
    elif event == INTENSITY:
        _set_intensity(follow, fields)
    elif event == "acknowledged":
        name, by = str(fields.get("alarm", "")), str(fields.get("by", "")) or "operator"
        if not follow.alarms.acknowledge(name, by):
            follow.problems.acknowledge(name, by)
    elif event == "adverse_event" and isinstance(fields.get("at_us"), int):
        what, severity = str(fields.get("what", "")), str(fields.get("severity", ""))
        follow.observation = {"what": what, "severity": severity, "since_s": fields["at_us"] * 1e-6}
    elif event == "observation_over":
        follow.observation = None
    elif event == "alarm" and isinstance(fields.get("met_us"), int):
        follow.hear_alarm(
            Alarm(
                str(fields.get("kind", "")),
                bool(fields.get("began")),
                int(fields["met_us"]),
                str(fields.get("text", "")),
                _maybe(fields.get("measured")),
                _maybe(fields.get("limit")),
                str(fields.get("unit", "")),
            )
        )


def _maybe(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
