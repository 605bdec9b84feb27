"""What a page remembers of the feed: the latest of each kind, and the last minutes of beats, trains and rest.

Knows device seconds only. Every list is bounded, however long the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

ECG_S = 10.0
HISTORY_S = 330.0  # a little more than the plots show
TRAIN_GAP_S = 1.0  # as everywhere: a longer pause ends a train
BEAT_OLD_S = 4.0  # an older beat says nothing about the rate of now
Span = list[float]  # start and end, device seconds


class LiveState:
    """Follows the messages of one feed.

    Attributes
    ----------
    hello, state, result, practice : dict
        The latest message of that kind; empty before the first.
    coupling : dict
        The latest coupling message of each site.
    """

    def __init__(self) -> None:
        self.hello: dict[str, Any] = {}
        #: Alarms that somebody has seen while no session was there to write it down; asked again when there is one.
        self.seen_here: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Another session, or the same one anew: what was before no longer counts."""
        self.state: dict[str, Any] = {}
        self.result: dict[str, Any] = {}
        self.practice: dict[str, Any] = {}
        self.coupling: dict[str, dict[str, Any]] = {}
        self.ecg: deque[dict[str, Any]] = deque()
        self.beats: deque[dict[str, Any]] = deque()
        self.trains: deque[Span] = deque()
        self.rests: deque[Span] = deque()
        self._pulse_s = float("-inf")

    def take(self, message: dict[str, Any]) -> bool:
        """Remember a message; False when it was known already, as after a reconnection."""
        kind = message.get("kind")
        if kind == "hello":
            if self.hello and self.hello.get("session") != message.get("session"):
                self.forget()
            self.hello = message
        elif kind == "state":
            self._take_state(message)
        elif kind == "coupling":
            self.coupling[str(message.get("site"))] = message
        elif kind in ("result", "practice"):
            setattr(self, kind, message)
        elif kind == "ecg":
            return self._append(self.ecg, message, "first_s", ECG_S)
        elif kind == "beat":
            return self._append(self.beats, message, "at_s", HISTORY_S)
        elif kind == "pulse":
            return self._take_pulse(float(message["at_s"]))
        return True

    def _append(self, kept: deque[dict[str, Any]], message: dict[str, Any], key: str, keep_s: float) -> bool:
        at_s = message[key]
        if kept and at_s <= kept[-1][key]:
            if at_s > kept[-1][key] - ECG_S:
                return False
            # Device time went back by more than a feed repeats: the box began anew.
            self.ecg.clear()
            self.beats.clear()
            self.trains.clear()
            self.rests.clear()
            self._pulse_s = float("-inf")
        kept.append(message)
        while kept[0][key] < at_s - keep_s:
            kept.popleft()
        return True

    def _take_pulse(self, at_s: float) -> bool:
        if self._pulse_s - ECG_S < at_s <= self._pulse_s:
            return False
        if at_s > self._pulse_s + TRAIN_GAP_S or not self.trains:
            self.trains.append([at_s, at_s])
        self.trains[-1][1] = self._pulse_s = at_s
        while self.trains[0][1] < at_s - HISTORY_S:
            self.trains.popleft()
        return True

    def _take_state(self, message: dict[str, Any]) -> None:
        now_s, was = message.get("now_s"), self.state.get("phase")
        self.state = message
        if now_s is None or message.get("phase") != "rest":
            return
        if was != "rest" or not self.rests:
            self.rests.append([now_s, now_s])
        self.rests[-1][1] = now_s
        while self.rests[0][1] < now_s - HISTORY_S:
            self.rests.popleft()

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float | None:
        """Device time of the latest state."""
        return self.state.get("now_s")

    @property
    def box(self) -> dict[str, Any]:
        """What is known of the box."""
        return self.state.get("box") or {}

    @property
    def beat(self) -> dict[str, Any] | None:
        """The last beat, when it is fresh enough to speak of now."""
        if not self.beats or not self.box.get("connected") or "heart_not_visible" in self.problem_codes:
            return None
        beat = self.beats[-1]
        return beat if self.now_s is None or self.now_s - beat["at_s"] < BEAT_OLD_S else None

    @property
    def has_ended(self) -> bool:
        """The session told its end, by its plan or before; one that was killed did not."""
        return self.state.get("phase") == "finished" or bool(self.state.get("over_why"))

    @property
    def presses_ready_s(self) -> float | None:
        """Seconds until a demonstration presses R itself; None when it does not wait for anybody."""
        is_waiting = self.state.get("phase") in ("waiting", "move_coil")
        if not is_waiting or self.practice.get("site") != self.state.get("site"):
            return None
        ready_s = self.practice.get("ready_in_s")
        return None if ready_s is None else max(0.0, float(ready_s))

    @property
    def problem_codes(self) -> set[str]:
        """Codes of what is wrong now."""
        return {str(problem.get("code")) for problem in self.problems()}

    def problems(self) -> list[dict[str, Any]]:
        """What is wrong now, in the order of the feed."""
        return list(self.state.get("problems") or ())

    def alarms(self) -> list[dict[str, Any]]:
        """Alarms that still hold, or that nobody has acknowledged."""
        listed = self.state.get("alarms") or ()
        return [alarm for alarm in listed if not (alarm.get("over") and alarm.get("acknowledged_by"))]

    def to_acknowledge(self) -> list[dict[str, Any]]:
        """Alarms that nobody has acknowledged, oldest first."""
        waiting = [alarm for alarm in self.alarms() if not alarm.get("acknowledged_by")]
        return [alarm for alarm in waiting if str(alarm.get("id")) not in self.seen_here]

    def sites(self) -> list[dict[str, Any]]:
        """The planned sites in their order."""
        return list((self.hello.get("session") or {}).get("sites") or ())

    def history(self) -> Iterator[dict[str, Any]]:
        """What a page that opens now needs to draw: ECG, beats, trains, rest."""
        yield {"kind": "clear"}
        yield from self.ecg
        yield {"kind": "beats", "beats": list(self.beats)}
        yield {"kind": "spans", "trains": list(self.trains), "rests": list(self.rests)}
