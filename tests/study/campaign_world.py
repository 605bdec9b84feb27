"""What every fault of the campaign works with: a patient, a box that lives in virtual time, a recording of it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_hil.rig import Rig, rig
from hbc_hil.scenario import Scenario
from hbc_host.record import RecordSummary, record
from hbc_host.session import load_session
from hbc_host.session_model import Session, SessionMeta
from hbc_host.transport import SerialTransport, Transport

HELLO_S = 600.0  # virtual: the rig runs far ahead of the reader
WALL_S = 600.0


@dataclass
class Case:
    """What a fault gets: where to record, which patient, and what it draws by."""

    seed: int
    folder: Path
    scenario: Scenario
    draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)


class TooSlowError(RuntimeError):
    """Half a session would be judged against a whole truth."""


Judged = tuple[Rig, Session] | str


def labels(port: str) -> SessionMeta:
    return SessionMeta(datetime.now(UTC), "campaign", "dash", (), None, "campaign", port)


def scenario_of(seed: int) -> Scenario:
    """60 to 90 s with trains from the tenth second on."""
    draw = random.Random(seed)
    return Scenario.short(seed, draw.uniform(60.0, 90.0), protocol=draw.choice(["dash", "itbs"]), rest_s=10.0)


def clean_beats_s(scenario: Scenario, folder: Path) -> npt.NDArray[np.float64]:
    """Beats that the box finds in this patient without any fault, seconds of world time."""
    with rig(scenario) as box:
        run(box, SerialTransport(box.port), folder, fetch=False)
    return load_session(folder).beats_s - box.boot_s


def run(box: Rig, transport: Transport, folder: Path, **more: Any) -> RecordSummary:
    """Record to the end of the world on its virtual clock."""
    give_up_s = time.monotonic() + WALL_S

    def stop() -> bool:
        return box.finished or time.monotonic() > give_up_s

    ended_s: list[float] = []

    def clock() -> float:
        """The world's; of a world that is over the wall's, or who waits for a word of the box would wait for ever."""
        if not box.finished:
            return box.bridge.virtual_s
        if not ended_s:
            ended_s.append(time.monotonic())
        dead = not folder.exists()  # nobody need wait for Hello to its end
        return box.bridge.virtual_s + time.monotonic() - ended_s[0] + (HELLO_S if dead else 0.0)

    options: dict[str, Any] = {"stop": stop, "clock": clock, "fetch": True, "ping": True}
    summary = record(
        transport, folder, meta=labels(box.port), hello_timeout_s=HELLO_S, on_event=lambda _: None,
        **(options | more),
    )  # fmt: skip
    if time.monotonic() > give_up_s and "stop" not in more:
        raise TooSlowError(f"the world did not end within {WALL_S:g} s: this computer is too busy for the campaign")
    return summary
