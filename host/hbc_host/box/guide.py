"""The guided part of ``hbc box check``: what to do now, and when the box itself has seen that it was done.

Nobody presses a key: each step ends when the box reports what the step is about, or when its time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hbc_wire import messages

from hbc_host.detection import LOW_QUALITY
from hbc_host.protocol import is_a

PUT_ON_S = 90.0
LIFT_S = 45.0
TRIGGER_S = 90.0
UNATTENDED_S = 5.0  # for what is there already or never comes
UNATTENDED_TRIGGER_S = 20.0  # longer than the pause of every usual protocol but 10 Hz
SETTLE_S = 8.0  # the amplifier's 0.5 Hz corner after an electrode was touched, and the detector's learning
BEAT_S = 2.0  # 30 bpm, the slowest heart that is waited for
QUIET_MIN_S = 8.0  # the detector of the computer learns for five of them
DONE, TIMED_OUT, WAITING, NOT_TRIED = "done", "timed out", "waiting", "not tried"


@dataclass
class Watch:
    """What the box has said since the check began, as it comes.

    Attributes
    ----------
    statuses, healths, losts, notes, hellos : list of messages
    beats_n, good_beats_n, edges_n : int
    edge_levels : list of int
        1 for a rising edge, 0 for a falling one.
    """

    statuses: list[Any] = field(default_factory=list)
    healths: list[Any] = field(default_factory=list)
    losts: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hellos: list[Any] = field(default_factory=list)
    beats_n: int = 0
    good_beats_n: int = 0
    edges_n: int = 0
    edge_levels: list[int] = field(default_factory=list)

    def take(self, message: Any) -> None:
        """Sort one message in."""
        for row, kept in ((messages.Status, self.statuses), (messages.Health, self.healths),
                          (messages.Lost, self.losts), (messages.Hello, self.hellos)):  # fmt: skip
            if is_a(message, row):
                kept.append(message)
        if is_a(message, messages.Note):
            self.notes.append(message.text)
        elif is_a(message, messages.RPeak):
            self.beats_n += 1
            self.good_beats_n += message.quality >= LOW_QUALITY
        elif is_a(message, messages.TriggerEdge):
            self.edges_n += 1
            self.edge_levels.append(message.level)

    @property
    def leads(self) -> int | None:
        """Electrodes that are off now, bits of ``Status.leads``; None before the first Status."""
        return self.statuses[-1].leads if self.statuses else None


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    name : str
    instruction : str
        What the person is told; empty when there is nothing to do but wait.
    timeout_s : float
    done : callable
        (watch, beats and edges at the step's start, seconds since then) -> is it done?
    """

    name: str
    instruction: str
    timeout_s: float
    done: Callable[[Watch, tuple[int, int], float], bool]


@dataclass
class Outcome:
    """How a step went: ``DONE`` or ``TIMED_OUT``, how long it took, and how many Status had come when it began."""

    name: str
    state: str
    seconds: float
    status_idx: int


def steps_for(beats_n: int, *, attended: bool, trigger: bool) -> tuple[Step, ...]:
    """The steps of a check.

    Parameters
    ----------
    beats_n : int
        Beats of good quality to wait for.
    attended : bool
        Somebody is there who puts electrodes on and lifts them.
    trigger : bool
        A trigger edge is to be seen.
    """
    steps = [
        Step(
            "electrodes on",
            "put all three electrodes on (RA right arm, LA left arm, RL right leg) and sit still" if attended else "",
            PUT_ON_S if attended else UNATTENDED_S,
            lambda watch, _, __: watch.leads == 0,
        ),
        Step(
            "beats",
            f"sit still and do not talk: {beats_n} heart beats are counted",
            max(QUIET_MIN_S, SETTLE_S + BEAT_S * beats_n),
            lambda watch, start, after_s: watch.good_beats_n - start[0] >= beats_n and after_s >= QUIET_MIN_S,
        ),
    ]
    if attended:
        steps += _lifting("LA", "left arm", messages.LEAD_LA_OFF) + _lifting("RA", "right arm", messages.LEAD_RA_OFF)
    if trigger:
        steps.append(
            Step(
                "trigger",
                "fire one single pulse of the stimulator (lowest power, coil away from everybody), or touch the test "
                "contact of the trigger input",
                TRIGGER_S if attended else UNATTENDED_TRIGGER_S,
                lambda watch, start, after_s: watch.edges_n > (start[1] if attended else 0) and after_s >= 1.0,
            )
        )
    return tuple(steps)


def _lifting(name: str, where: str, bit: int) -> list[Step]:
    return [
        Step(f"{name} off", f"take the electrode {name} ({where}) off, or pull its plug", LIFT_S,
             lambda watch, _, __: bool((watch.leads or 0) & bit)),
        Step(f"{name} back", f"put the electrode {name} back", LIFT_S, lambda watch, _, __: watch.leads == 0),
    ]  # fmt: skip


class Guide:
    """Leads through the steps; give ``stop`` to the recorder as its question, ``watch.take`` its messages.

    Parameters
    ----------
    steps : sequence of Step
    say : callable
        Gets each instruction and each outcome as a line.
    show : callable
        Gets a short line about the present state, often.
    clock : callable
        Host seconds.
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        say: Callable[[str], None],
        show: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.watch = Watch()
        self.outcomes: list[Outcome] = []
        self._steps = list(steps)
        self._say, self._show, self._clock = say, show, clock
        self._began: tuple[float, tuple[int, int], int] | None = None

    def stop(self) -> bool:
        """Go on to the next step when it is time; True when all are over."""
        while self._steps:
            step = self._steps[0]
            if self._began is None:
                self._began = (self._clock(), (self.watch.good_beats_n, self.watch.edges_n), len(self.watch.statuses))
                if step.instruction:
                    self._say(f"now: {step.instruction}")
            start_s, counts, status_idx = self._began
            after_s = self._clock() - start_s
            done = step.done(self.watch, counts, after_s)
            if not done and after_s < step.timeout_s:
                self._show(f"{step.name}: {self._state()}, {step.timeout_s - after_s:.0f} s left")
                return False
            self.outcomes.append(Outcome(step.name, DONE if done else TIMED_OUT, after_s, status_idx))
            if step.instruction:
                self._say(f"     {step.name}: {'seen' if done else f'not seen within {step.timeout_s:.0f} s'}")
            self._steps.pop(0)
            self._began = None
        return True

    def quiet_statuses(self) -> list[Any]:
        """Status of the time in which nobody was to touch anything: while beats were counted."""
        starts = [outcome.status_idx for outcome in self.outcomes] + [len(self.watch.statuses)]
        at = next((k for k, outcome in enumerate(self.outcomes) if outcome.name == "beats"), None)
        return [] if at is None else self.watch.statuses[starts[at] : starts[at + 1]]

    def state_of(self, name: str) -> str:
        """How a step went, ``NOT_TRIED`` when it was none of the steps."""
        return next((outcome.state for outcome in self.outcomes if outcome.name == name), NOT_TRIED)

    def _state(self) -> str:
        watch = self.watch
        return f"{watch.good_beats_n} beats, {watch.edges_n} trigger edges, electrodes {off_words(watch.leads)}"


def off_words(leads: int | None) -> str:
    """Which electrodes are off, in words."""
    if leads is None:
        return "not reported yet"
    off = [name for name, bit in (("LA", messages.LEAD_LA_OFF), ("RA", messages.LEAD_RA_OFF)) if leads & bit]
    return f"{' and '.join(off)} off" if off else "on"
