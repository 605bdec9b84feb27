"""Where a session stands. Pure: messages of the box in, steps (hbc_host.live.steps_now), states and notes out.

The same code follows a session live and rebuilds its state from the log.
"""

from __future__ import annotations

from typing import Any

from hbc_wire import messages

from hbc_host.alarms import NOT_VISIBLE, Alarm
from hbc_host.clinic.visit import Visit
from hbc_host.live import problems
from hbc_host.live.alarms_now import AlarmsNow
from hbc_host.live.box_now import BoxNow
from hbc_host.live.heart_now import HeartNow
from hbc_host.live.steps_now import Steps
from hbc_host.protocol import is_a

SILENT_S = 1.5  # a box sends a block of ECG every 50 ms


class Follow(Steps):
    """Follows one session.

    Parameters
    ----------
    visit : Visit
        What was laid down for it.

    Attributes
    ----------
    said : list of dict
        Messages for the feed since somebody took them.
    away_s : float
        How long the box has been away, and its own time has stood still, by the host's clock; its next ECG ends that.
    """

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit)
        self.said: list[dict[str, Any]] = []
        self.box = BoxNow()
        self.heart: HeartNow | None = None
        self.alarms = AlarmsNow()
        self.disk_left_s: float | None = None
        self.observation: dict[str, Any] | None = None
        self.away_s = 0.0
        self._period_us = 0
        self._silent = True
        if visit.signature_state != "signed" and not visit.protocol.practice:
            self.problem(problems.UNSIGNED_PROTOCOL, f"the protocol is {visit.signature_state}")

    def take(self, message: Any, seq: int, host_s: float) -> None:
        """One message, in order of arrival."""
        if is_a(message, messages.Hello):
            self._hello(message)
        self.box.take(message, seq, host_s)
        self._connected(True)
        if is_a(message, messages.EcgBlock):
            if self.heart is not None:
                self.said.append(self.heart.ecg(message))
            self._clock_goes_on(message.first_us + len(message.ecg_lsb) * self._period_us)
            self.advance()
        elif is_a(message, messages.RPeak):
            if self.heart is not None:
                self.said.append(self.heart.beat(message))
        elif is_a(message, messages.TriggerEdge):
            self._edge(message)
        elif is_a(message, messages.Status):
            off = {messages.LEAD_LA_OFF: "left arm", messages.LEAD_RA_OFF: "right arm"}.get(message.leads, "both arms")
            self.problem(problems.LEAD_OFF, f"electrode off: {off}" if message.leads else "")
            text = "trigger edges did not arrive; the box is asked for them" if self.box.edges.holes else ""
            self.problem(problems.MISSING_EDGES, text)

    @property
    def connected(self) -> bool:
        """True while the box is heard."""
        return not self._silent

    @property
    def observed_s(self) -> float:
        """How long somebody has been under observation, seconds; it goes on while the box is away."""
        if self.observation is None:
            return 0.0
        since_s: float = self.observation["since_s"]
        return max(0.0, self.now_us * 1e-6 + self.away_s - since_s)

    def silence(self) -> None:
        """Nothing comes from the box any more."""
        self._connected(False)

    def connection_lost(self) -> None:
        """Bytes begin anew, of the same box."""
        self.box.connection_lost()

    def hear_alarm(self, alarm: Alarm) -> None:
        """An alarm began or ended; a heart that cannot be seen is a problem, not an alarm."""
        if alarm.kind == NOT_VISIBLE:
            self.problem(problems.HEART_NOT_VISIBLE, alarm.text if alarm.began else "")
        else:
            self.alarms.take(alarm)

    def _connected(self, is_there: bool) -> None:
        if is_there == (not self._silent):
            return
        self._silent = not is_there
        self.problem(problems.NO_BOX, "" if is_there else "nothing comes from the box: cable, power")

    def _hello(self, hello: Any) -> None:
        before = self.box.hello
        if before is not None and before.boot_n == hello.boot_n:
            return
        self.box.begin_anew(hello)
        self.heart = HeartNow(hello)
        self._period_us = 1_000_000 // hello.rate_hz if hello.rate_hz else 0
        if before is None:
            return
        if self.observation is not None:
            self.observation["since_s"] = -self.observed_s
        self.away_s = 0.0
        self.restart_clock()
        text = "the box restarted: only the longest part between restarts is analysed"
        self.problem(problems.BOX_RESTARTED, text)

    def _clock_goes_on(self, end_us: int) -> None:
        """ECG up to this time: what the box was away for is in its own time now."""
        if end_us <= self.now_us:
            return
        watched = self.observation
        if watched is not None and (self.now_us == 0 or watched["since_s"] > self.now_us * 1e-6):
            # Begun while this clock was not heard: a clock that was ahead, or a computer that slept, must not end it.
            watched["since_s"] = max(watched["since_s"], end_us * 1e-6 - self.observed_s)
        self.now_us, self.away_s = end_us, 0.0

    def _edge(self, edge: Any) -> None:
        if not self.box.edges.arrive(edge.edge_n):
            return
        if self.heart is not None:
            self.heart.edge(edge)
        self.box.last_trigger_s = max(self.box.last_trigger_s or 0.0, edge.edge_us * 1e-6)
        self.said.append({"kind": "pulse", "at_s": edge.edge_us * 1e-6})
        self.pulse(edge.edge_us)
