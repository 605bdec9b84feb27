"""The alarms of a session under way, as pages show them: each with an id, and who has seen it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hbc_host.alarms import NOT_VISIBLE, Alarm

KEPT_N = 50  # the newest; the log has all


@dataclass
class StandingAlarm:
    """One alarm; fields as in the feed's ``state``. ``id`` follows from the recording, so that it outlives a crash."""

    id: str
    kind: str
    text: str
    at_s: float
    measured: float | None
    limit: float | None
    unit: str
    over: bool = False
    acknowledged_by: str = ""


class AlarmsNow:
    """Alarms so far, the newest last. "Not visible" is none of them: it is a problem of its own."""

    def __init__(self) -> None:
        self._alarms: list[StandingAlarm] = []

    def take(self, alarm: Alarm) -> None:
        """An alarm began or ended."""
        if alarm.kind == NOT_VISIBLE:
            return
        if not alarm.began:
            for one in self._alarms:
                one.over = one.over or one.kind == alarm.kind
            return
        name = f"{alarm.kind}-{alarm.met_us}"
        if any(one.id == name for one in self._alarms):
            return
        at_s = alarm.met_us * 1e-6
        self._alarms.append(StandingAlarm(name, alarm.kind, alarm.text, at_s, alarm.measured, alarm.limit, alarm.unit))
        del self._alarms[:-KEPT_N]

    def acknowledge(self, name: str, by: str) -> bool:
        """True when there is such an alarm."""
        found = [one for one in self._alarms if one.id == name]
        for one in found:
            one.acknowledged_by = by
        return bool(found)

    def fields(self) -> list[dict[str, Any]]:
        """The ``alarms`` of the feed's ``state``."""
        return [asdict(one) for one in self._alarms]
