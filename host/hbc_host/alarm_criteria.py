"""When to alarm: limits as a clinic signs them, and as words of a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.clinic.protocol_file import Alarms


@dataclass(frozen=True)
class AlarmCriteria:
    """When to alarm. The defaults are proposals (sources: docs/reliability.md); the clinic sets and signs its own.

    Attributes
    ----------
    fall_bpm, fall_pct : float or None
        Fall below the running baseline, whichever comes first. Default 15 bpm or 20 %: the published syncope fell from
        80 to 60 bpm, which an absolute limit alone misses. None: not watched.
    below_bpm : float or None
        Absolute limit. None by default: no number is published, the clinic sets it.
    pause_s : float or None
        No beat for so long. Default 3 s.
    above_bpm : float or None
        Absolute upper limit. None by default: no number is published, the clinic sets it.
    """

    fall_bpm: float | None = 15.0
    fall_pct: float | None = 20.0
    below_bpm: float | None = None
    pause_s: float | None = 3.0
    above_bpm: float | None = None


def criteria_of(alarms: Alarms) -> AlarmCriteria | None:
    """Criteria from the table ``alarms`` of a protocol file, as it was signed; None when it watches nothing."""
    criteria = AlarmCriteria(
        fall_bpm=alarms.fall_bpm,
        fall_pct=alarms.fall_pct,
        below_bpm=alarms.lowest_bpm,
        pause_s=alarms.pause_s,
        above_bpm=alarms.highest_bpm,
    )
    return None if criteria == AlarmCriteria(None, None, None, None, None) else criteria


def parse_criteria(text: str) -> AlarmCriteria | None:
    """Criteria from words such as ``below=45,fall=15,fall-pct=20,pause=3``; 0 turns one off, ``off`` all (None).

    Raises
    ------
    InputError
        A word is unknown, or its value is no number of 0 or more.
    """
    if text.strip() == "off":
        return None
    fields = {
        "below": "below_bpm",
        "fall": "fall_bpm",
        "fall-pct": "fall_pct",
        "pause": "pause_s",
        "above": "above_bpm",
    }
    given: dict[str, float | None] = {}
    for word in filter(None, text.split(",")):
        name, _, value = word.strip().partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if name not in fields or not 0.0 <= number < 1000.0:
            raise InputError(f"--alarms {word!r} is none of {', '.join(f'{field}=N' for field in fields)}; or give off")
        given[fields[name]] = number or None
    return AlarmCriteria(**given)
