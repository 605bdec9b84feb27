"""Alarms from the box's R-peaks: slow or fast heart, pause, and "heart not visible", which is a state of its own.

A pure state machine: fed with messages, it knows device time only. It needs no disk, no analysis and no page
(``hbc_host/alarm_watch.py`` runs it on a path of its own).

What "slower than before" means is fixed here: the rate now is that of the last seven intervals, by their median and by
their mean, whichever is higher, so that ectopic beats with their pauses and single missed beats raise nothing (for "too
fast" whichever is lower: no single extra beat, no T wave counted now and then); the baseline is the median of the
minute before those, and stands still while the heart is slow.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from hbc_wire import messages

from hbc_host.alarm_criteria import AlarmCriteria, parse_criteria
from hbc_host.protocol import is_a

SLOW, FAST, PAUSE, NOT_VISIBLE = "slow", "fast", "pause", "not visible"
_BELOW = "below the limit"  # within "slow": it says so again when a heart that fell passes the absolute limit, too
__all__ = ["FAST", "NOT_VISIBLE", "PAUSE", "SLOW", "Alarm", "AlarmCriteria", "AlarmMonitor", "parse_criteria"]

ACT = ": stop stimulating and look at the patient"

NOW_N = 7  # intervals that make the rate of now
BASELINE_S = 60.0
BASELINE_MIN_N = 20  # intervals before a fall can be judged
DECIDED_US = 300_000  # a beat is reported at most this long after it happened (native/include/hbc_rpeak.h)
CLEAR_S = 5.0  # a state must be over for so long before it is said to be
LEARNING_US = 2_500_000  # after boot the detector reports nothing at first
HOLD_S = 180.0  # a baseline that the heart stays below is given up then, or no second fall would be seen
# Flat is none of them: a heart that stands still is flat.
BLIND = {messages.SIGNAL_SATURATED: "the amplifier is saturated", messages.SIGNAL_LEAD_OFF: "an electrode is off"}
# Beats may still be seen then, but their absence says nothing.
DOUBTFUL = {messages.SIGNAL_NOISY: "noise", messages.SIGNAL_HUM: "hum"}


@dataclass(frozen=True)
class Alarm:
    """A state that began or ended.

    ``kind`` is ``"slow"``, ``"fast"``, ``"pause"`` or ``"not visible"``; ``met_us`` the device time at which its
    criterion was met (the beat that was too late, or the end of the pause's limit); ``text`` is for people.
    ``measured`` against ``limit`` in ``unit``, where the alarm has numbers.
    """

    kind: str
    began: bool
    met_us: int
    text: str
    measured: float | None = None
    limit: float | None = None
    unit: str = ""


class AlarmMonitor:
    """Follows one box.

    Parameters
    ----------
    criteria : AlarmCriteria
    """

    def __init__(self, criteria: AlarmCriteria) -> None:
        self.criteria = criteria
        self._boot_n: int | None = None
        self._begin_anew(None)

    def _begin_anew(self, hello: Any) -> None:
        # State -> device time since when its criterion is no longer met; 0 while it is.
        self.states: dict[str, int] = {}
        self._period_us = 0 if hello is None or not hello.rate_hz else 1_000_000 // hello.rate_hz
        self._peak_n = -1
        self._peak_us: int | None = None
        self._seen_us = 0  # until here the heart was seen alive, or could not be watched
        self._intervals: deque[tuple[int, float]] = deque()  # device time at the end, seconds
        self._held_since_us = 0
        self._next_idx: int | None = None
        self._blind: dict[str, str] = {}  # who says that the heart cannot be seen -> why
        self._doubt = ""
        self.baseline_bpm: float | None = None

    def take(self, message: Any) -> list[Alarm]:
        """Any message of the box; what began or ended by it."""
        if is_a(message, messages.RPeak):
            return self._beat(message)
        if is_a(message, messages.EcgBlock):
            return self._time(message)
        if is_a(message, messages.Status):
            self._blind["status"] = "an electrode is off" if message.leads else ""
            return self._visibility(message.status_us)
        if is_a(message, messages.Health):
            self._blind["signal"] = BLIND.get(message.signal_state, "")
            self._doubt = DOUBTFUL.get(message.signal_state, "")
            if not self._doubt:  # clear again, and perhaps still no beat: then it is a pause
                self._blind.pop("doubt", None)
            return self._visibility(message.health_us)
        if is_a(message, messages.Hello) and message.boot_n != self._boot_n:
            self._boot_n = message.boot_n
            over = [
                Alarm(kind, False, 0, f"over: {kind}, the box began anew") for kind in self.states if kind != _BELOW
            ]
            self._begin_anew(message)
            return over
        return []

    def no_data(self, silent_s: float) -> list[Alarm]:
        """Nothing came from the box for so long, host seconds."""
        self._blind["data"] = f"no data from the box for {silent_s:.0f} s"
        return self._visibility(self._seen_us)

    def failed(self, why: str) -> list[Alarm]:
        """Whoever watches cannot, until ECG is judged again."""
        self._blind["data"] = f"the alarm watch failed: {why}"
        return self._visibility(self._seen_us)

    # -- what the messages mean ------------------------------------------------------------------------------------

    def _beat(self, peak: Any) -> list[Alarm]:
        if peak.peak_n <= self._peak_n:  # fetched again, long after
            return []
        before_us, follows = self._peak_us, peak.peak_n == self._peak_n + 1
        self._peak_n, self._peak_us = peak.peak_n, peak.peak_us
        alarms = self._set(PAUSE, False, peak.peak_us, "")
        if self._blind.pop("doubt", ""):
            alarms += self._visibility(peak.peak_us)
        measured = follows and before_us is not None and self._seen_us <= before_us < peak.peak_us
        if measured and before_us is not None and not any(self._blind.values()):
            self._intervals.append((peak.peak_us, (peak.peak_us - before_us) * 1e-6))
            alarms += self._judge_rate(peak.peak_us)
        self._seen_us = max(self._seen_us, peak.peak_us)
        return alarms

    def _judge_rate(self, now_us: int) -> list[Alarm]:
        while self._intervals[0][0] < now_us - (BASELINE_S + NOW_N) * 1e6:
            self._intervals.popleft()
        if len(self._intervals) < NOW_N:
            return []
        recent = [rr_s for _, rr_s in self._intervals]
        now_bpm = 60.0 / min(median(recent[-NOW_N:]), fmean(recent[-NOW_N:]))
        held = SLOW in self.states and now_us - self._held_since_us < HOLD_S * 1e6
        if not held and len(recent) - NOW_N >= BASELINE_MIN_N:
            self.baseline_bpm = 60.0 / median(recent[:-NOW_N])
            self._held_since_us = now_us
        limit_bpm, why = self._too_slow(now_bpm)
        fell = SLOW in self.states
        alarms = self._set(SLOW, bool(why), now_us, why, now_bpm, limit_bpm, "bpm")
        is_below = self.criteria.below_bpm is not None and now_bpm < self.criteria.below_bpm
        below = self._set(_BELOW, is_below, now_us, why, now_bpm, limit_bpm, "bpm")
        alarms += [replace(one, kind=SLOW) for one in below if fell]
        above_bpm = self.criteria.above_bpm
        if above_bpm is not None:
            least_bpm = 60.0 / max(median(recent[-NOW_N:]), fmean(recent[-NOW_N:]))
            text = f"heart rate {least_bpm:.0f} bpm, upper limit {above_bpm:g}{ACT}"
            alarms += self._set(FAST, least_bpm > above_bpm, now_us, text, least_bpm, above_bpm, "bpm")
        return alarms

    def _too_slow(self, now_bpm: float) -> tuple[float, str]:
        """The limit that is passed, bpm, and why in words; no words when none is."""
        criteria, baseline_bpm = self.criteria, self.baseline_bpm
        if criteria.below_bpm is not None and now_bpm < criteria.below_bpm:
            return criteria.below_bpm, f"heart rate {now_bpm:.0f} bpm, limit {criteria.below_bpm:g}{ACT}"
        if baseline_bpm is None:
            return 0.0, ""
        share = None if criteria.fall_pct is None else baseline_bpm * criteria.fall_pct / 100.0
        falls = [fall for fall in (criteria.fall_bpm, share) if fall is not None]
        if falls and baseline_bpm - now_bpm >= min(falls):
            text = f"heart rate fell from {baseline_bpm:.0f} to {now_bpm:.0f} bpm, limit {min(falls):.0f} less{ACT}"
            return baseline_bpm - min(falls), text
        return 0.0, ""

    def _time(self, block: Any) -> list[Alarm]:
        """A block says how far the box has come, and so how long no beat has been."""
        n = len(block.ecg_lsb)
        now_us = block.first_us + n * self._period_us
        self._blind["data"] = ""
        if block.first_idx != self._next_idx:  # nobody watched until here
            learning_us = LEARNING_US - block.first_idx * self._period_us
            self._seen_us = max(self._seen_us, block.first_us + max(0, learning_us))
        self._next_idx = block.first_idx + n
        alarms = self._visibility(now_us)
        if any(self._blind.values()):
            self._seen_us = max(self._seen_us, now_us)
        elif self.criteria.pause_s is not None and self._period_us:
            alarms += self._judge_pause(now_us, self._seen_us + int(self.criteria.pause_s * 1e6))
        return alarms + self._end_states(now_us)

    def _judge_pause(self, now_us: int, met_us: int) -> list[Alarm]:
        if now_us < met_us + DECIDED_US:
            return []
        if self._doubt:
            self._blind["doubt"] = self._doubt
            return self._visibility(now_us)
        silent_s = (now_us - self._seen_us) * 1e-6
        text = f"no heart beat for {self.criteria.pause_s:g} s{ACT}"
        return self._set(PAUSE, True, met_us, text, silent_s, self.criteria.pause_s, "s")

    def _visibility(self, now_us: int) -> list[Alarm]:
        reasons = sorted({reason for reason in self._blind.values() if reason})
        text = f"heart not visible ({', '.join(reasons)}): nobody watches the beats now, check electrodes and cable"
        return self._set(NOT_VISIBLE, bool(reasons), now_us, text)

    # -- states ----------------------------------------------------------------------------------------------------

    def _set(
        self,
        kind: str,
        met: bool,
        at_us: int,
        text: str,
        measured: float | None = None,
        limit: float | None = None,
        unit: str = "",
    ) -> list[Alarm]:
        if met:
            began = kind not in self.states
            self.states[kind] = 0
            return [Alarm(kind, True, at_us, text, measured, limit, unit)] if began else []
        if self.states.get(kind) == 0:
            self.states[kind] = max(at_us, 1)
        return []

    def _end_states(self, now_us: int) -> list[Alarm]:
        over = [kind for kind, since_us in self.states.items() if since_us and now_us - since_us >= CLEAR_S * 1e6]
        for kind in over:
            del self.states[kind]
        return [Alarm(kind, False, now_us, f"over: {kind}") for kind in over if kind != _BELOW]
