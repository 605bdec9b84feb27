"""Sessions under way in tests: a visit of a few sites, and the messages of a box that sees planned and other pulses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hbc_host.clinic.protocol_file import parse
from hbc_host.clinic.visit import Visit, visit_for
from hbc_host.live.follow import Follow
from hbc_wire import messages
from support import BLOCK_N, BLOCK_US, hello_values, values_of

PULSES_N = 10
PULSE_US = 100_000
TRAIN_US = PULSES_N * PULSE_US
REST_S, BETWEEN_S, CYCLE_S = 10.0, 5.0, 4.0


def protocol_tables(**changed: Any) -> dict[str, Any]:
    """Two sites, four trains of 1 s at 10 Hz every 4 s; some tables changed."""
    tables: dict[str, Any] = {
        "format": 1,
        "name": "short",
        "trains": {"kind": "custom", "train_s": 1.0, "pause_s": 3.0, "pulses_n": PULSES_N, "trains_n": 4},
        "intensity": {"unit": "%MSO", "steps": [30.0, 40.0, 50.0, 60.0]},
        "sites": {"names": ["BF3-L", "5CM-L"], "order": "fixed"},
        "rest": {"first_s": REST_S, "between_s": BETWEEN_S},
        "caps": {"pulses_a_session": 200, "pulses_a_day": 1000, "train_s": 2.0, "source": "a test"},
        "alarms": {"fall_bpm": 15.0, "fall_pct": 20.0, "lowest_bpm": 40.0, "pause_s": 3.0},
    }
    return tables | changed


def a_visit(*, pulses_before_n: int = 0, **changed: Any) -> Visit:
    """A visit for practice; changes are tables of its protocol."""
    protocol = parse(protocol_tables(**changed), "test")
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    people = {"operator": "A. Jansen", "supervisor": "B. de Vries", "second_person": "C. Bakker"}
    return visit_for(
        protocol, pseudonym="P-1", created=created, practice=True, pulses_before_n=pulses_before_n, **people
    )


class BoxSays:
    """Feeds a follower with what a box would say, time after time; device time in microseconds."""

    def __init__(self, follow: Follow) -> None:
        self.follow = follow
        self.now_us = 0
        self.edge_n = 0
        self._seq = 0
        self.boot_n = 7
        self.say(messages.Hello, *hello_values(boot_n=self.boot_n))

    def say(self, message: Any, *values: Any) -> None:
        """One message."""
        made = message.make(*values)
        self.follow.take(made, self._seq & 0xFFFF, self.now_us * 1e-6)
        self._seq += 1

    def edges(self, at_us: Iterable[int]) -> None:
        """Trigger edges at these times, with the ECG around them."""
        for edge_us in at_us:
            self.until(edge_us)
            values = values_of(messages.TriggerEdge, edge_n=self.edge_n, edge_us=edge_us, level=1)
            self.say(messages.TriggerEdge, *values)
            self.edge_n += 1

    def train(self, pulses_n: int = PULSES_N, period_us: int = PULSE_US) -> int:
        """A train from now on; its onset. Time then stands at its last pulse."""
        onset_us = self.now_us
        self.edges(onset_us + k * period_us for k in range(pulses_n))
        return onset_us

    def until(self, at_us: int) -> None:
        """ECG blocks up to a time."""
        while self.now_us + BLOCK_US <= at_us:
            idx = self.now_us // BLOCK_US * BLOCK_N
            ecg = [0] * BLOCK_N
            values = values_of(
                messages.EcgBlock, first_idx=idx, first_us=self.now_us, ecg_lsb=ecg, residual_us=[0] * BLOCK_N
            )
            self.say(messages.EcgBlock, *values)
            self.now_us += BLOCK_US

    def wait(self, seconds: float) -> None:
        """ECG for a while."""
        self.until(self.now_us + round(seconds * 1e6))

    def restart(self) -> None:
        """Another boot: device time and numbers begin anew."""
        self.boot_n += 1
        self.now_us, self.edge_n = 0, 0
        self.say(messages.Hello, *hello_values(boot_n=self.boot_n))
