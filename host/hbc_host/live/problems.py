"""What stands in the way of a session, besides the heart: each a state with a code, a text, a begin and an end."""

from __future__ import annotations

from dataclasses import dataclass

NO_BOX = "no_box"
NO_TRIGGERS = "no_triggers"
WRONG_TRAIN_LENGTH = "wrong_train_length"
MISSING_PULSES = "missing_pulses"
EXTRA_PULSES = "extra_pulses"
EXTRA_TRAINS = "extra_trains"
MISSED_TRAIN = "missed_train"
EARLY_TRAIN = "early_train"
MISSING_EDGES = "missing_edges"
WRONG_ORDER = "wrong_order"
WRONG_INTENSITY = "wrong_intensity"
OVER_CAP = "over_cap"
HEART_NOT_VISIBLE = "heart_not_visible"
LEAD_OFF = "lead_off"
DISK = "disk"
DISK_UNKNOWN = "disk_unknown"
UNSIGNED_PROTOCOL = "unsigned_protocol"
BOX_RESTARTED = "box_restarted"

#: Said of one train, and over when the next one is as planned.
OF_A_TRAIN = (WRONG_TRAIN_LENGTH, MISSING_PULSES, EXTRA_PULSES, MISSED_TRAIN, EARLY_TRAIN)


@dataclass
class Problem:
    """One problem that stands, since ``since_s`` seconds of device time."""

    code: str
    text: str
    since_s: float
    acknowledged_by: str = ""


@dataclass(frozen=True)
class Change:
    """A problem that began or ended, for the log."""

    code: str
    text: str
    began: bool


class Problems:
    """The problems that stand now, in the order in which they began."""

    def __init__(self) -> None:
        self.standing: dict[str, Problem] = {}

    def set(self, code: str, text: str, now_s: float) -> list[Change]:
        """Say that a problem stands (``text`` says what), or is over (no text); what changed by it.

        Another text of the same problem is a change, too: the fifth wrong train is not the fourth.
        """
        before = self.standing.get(code)
        if not text:
            if before is None:
                return []
            del self.standing[code]
            return [Change(code, before.text, False)]
        if before is not None and before.text == text:
            return []
        since_s = now_s if before is None else before.since_s
        self.standing[code] = Problem(code, text, since_s)
        return [Change(code, text, True)]

    def update(self, code: str, text: str) -> None:
        """Another wording of a problem that stands, such as a running number of seconds; nothing for the log."""
        if code in self.standing:
            self.standing[code].text = text

    def acknowledge(self, code: str, by: str) -> bool:
        """True when the problem stands."""
        if code not in self.standing:
            return False
        self.standing[code].acknowledged_by = by
        return True
