"""Hardware-in-the-loop runs with a trigger generator: two real boards, or two simulated ones, judged alike."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hbc_host.errors import HbcError
from hbc_host.link import Link
from hbc_host.record import record
from hbc_host.requests import change_setting, list_settings
from hbc_host.transport import SerialTransport
from hbc_wire import messages

from hbc_hil.bench.dac_ecg import DacEcg, recorded, synthetic
from hbc_hil.bench.evidence import read_evidence
from hbc_hil.bench.generator_link import GeneratorLink, GeneratorLog
from hbc_hil.bench.generator_sim import simulated_generator
from hbc_hil.bench.judge_generator import judge_generator
from hbc_hil.bench.plan import Plan
from hbc_hil.bench.rig_bench import Outcome, Progress, cable, labels, must_be_whole, quiet, settings_text
from hbc_hil.errors import GeneratorError, ScenarioError
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario

QUIET_S = 2.5  # a box changes no setting until 2 s after an edge
TAIL_S = 3.0  # after the last pulse: the last reports of the box
SIMULATED_HELLO_S = 600.0
REAL_HELLO_S = 30.0
STARTING_S = 60.0  # two interpreters on a busy computer
REAL_RIG = {"board", "paced"}  # options that mean nothing on a real bench and may stand in a scenario


@dataclass(frozen=True)
class Bench:
    """A generator and a box, ready.

    Attributes
    ----------
    port : str
        The box's.
    link : GeneratorLink
    clock : callable
        The host's seconds.
    finished : callable
        True when the box will say no more.
    interpreter : str
    """

    port: str
    link: GeneratorLink
    clock: Callable[[], float]
    finished: Callable[[], bool]
    interpreter: str


def programme_of(plan: Plan) -> dict[str, Any]:
    """The plan's trains and wire faults as a programme of the generator.

    Raises
    ------
    ScenarioError
        The plan holds no train.
    """
    pattern, wire = plan.pattern, plan.wire
    trains_n = int((plan.duration_s - plan.rest_s - TAIL_S - pattern.train_s) // pattern.cycle_s) + 1
    if trains_n < 1 or not plan.stimulation:
        raise ScenarioError(f"{plan.name}: {plan.duration_s:g} s hold no train after {plan.rest_s:g} s of rest")
    return {
        "burst_us": round(1e6 / pattern.burst_hz),
        "burst_n": pattern.pulses_n // pattern.burst_pulses_n,
        "pulses_n": pattern.burst_pulses_n,
        "pulse_us": round(1e6 / pattern.burst_pulse_hz),
        "cycle_us": round(pattern.cycle_s * 1e6),
        "trains_n": trains_n,
        "width_us": round(plan.width_us),
        "active_high": 0 if wire.active_low else 1,
        "bounces_n": wire.bounces_n,
        "bounce_us": round(wire.bounce_us),
        "runt_every": wire.runt_every,
        "runt_us": round(wire.runt_after_us),
        "stuck_train": 1 if wire.stuck_s else -1,
    }


def run_with_generator(
    plan: Plan,
    folder: Path,
    *,
    port: str | None = None,
    generator: str | None = None,
    on_progress: Progress | None = None,
) -> Outcome:
    """Run a plan with a generator.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Empty or new; the recording goes there.
    port, generator : str, optional
        Ports of a real box and a real generator; both, or neither for two simulated boards.
    on_progress : callable, optional
        Gets the share done, 0..1.

    Raises
    ------
    ScenarioError, GeneratorError, EvidenceError, RigError, HbcError
    """  # fmt: skip
    if (port is None) != (generator is None):
        raise ScenarioError("give both --port and --generator, or neither: edges need two boards")
    began_s = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    programme = programme_of(plan)
    bench_of = _real(plan, port, generator) if port and generator else _simulated(plan, folder)
    with bench_of as bench:
        hello = bench.link.hello()
        ecg = _ecg_of(plan) if int(hello["dac_gpio"]) >= 0 and plan.ecg != "none" else None
        bench.link.load(programme)
        if ecg is not None:
            bench.link.load_ecg(ecg.table, ecg.rate_hz)
        log = _play(plan, bench, folder, on_progress)
    findings = judge_generator(plan, log, ecg, read_evidence(folder / "session"))
    facts = {
        "board": bench.interpreter,
        "generator": f"{hello['machine']}, trigger GPIO {hello['trigger_gpio']}, DAC GPIO {hello['dac_gpio']}",
        "lists_n": len(log.lists),
        "edges_n": sum(played.pulses_n for played in log.lists),
        "ecg_late_max_us": log.ecg_late_max_us,
    }
    return Outcome(plan, tuple(findings), facts, time.monotonic() - began_s)


def lead_changes(plan: Plan) -> list[tuple[float, int]]:
    """When which electrodes are off, (seconds from the start, bits of Status.leads), in order."""
    bit = {"LA": messages.LEAD_LA_OFF, "RA": messages.LEAD_RA_OFF}
    moments = sorted({moment for span in plan.lead_off for moment in (span.start_s, span.end_s)})
    return [
        (moment, sum({bit[span.electrode] for span in plan.lead_off if span.start_s <= moment < span.end_s}))
        for moment in moments
    ]


def _ecg_of(plan: Plan) -> DacEcg:
    return synthetic(plan.seed) if plan.ecg == "patient" else recorded(plan.ecg)


def _play(plan: Plan, bench: Bench, folder: Path, on_progress: Progress | None) -> GeneratorLog:
    """Start, record until the generator is done and the box has reported; the generator's log."""
    bench.link.start(plan.rest_s, lead_changes(plan))
    listening = threading.Event()
    failed: list[GeneratorError | HbcError] = []

    def listen() -> None:
        try:
            while not listening.is_set():
                bench.link.poll()
        except (GeneratorError, HbcError) as error:
            failed.append(error)

    thread = threading.Thread(target=listen, name="generator", daemon=True)
    thread.start()
    first_s = bench.clock()

    def stop() -> bool:
        if on_progress is not None:
            on_progress(min(1.0, (bench.clock() - first_s) / plan.duration_s))
        late = bench.clock() - first_s > plan.duration_s + 30.0
        return bool(failed) or late or (bench.link.done and bench.finished())

    try:
        summary = record(
            cable(plan, bench.port), folder / "session", meta=labels(plan, bench.port), stop=stop, on_event=quiet,
            clock=bench.clock,
            hello_timeout_s=SIMULATED_HELLO_S if bench.clock is not time.monotonic else REAL_HELLO_S,
        )  # fmt: skip
        must_be_whole(summary)
    finally:
        listening.set()
        thread.join(timeout=10.0)
    if failed:
        raise failed[0]
    log = bench.link.log()
    if not log.done:
        raise GeneratorError("the generator never said that it was done; check its supply, press reset, start again")
    return log


@contextlib.contextmanager
def _simulated(plan: Plan, folder: Path) -> Iterator[Bench]:
    """Two interpreters: the generator's outputs are the world of the box."""
    flash = folder / "flash"
    flash.mkdir()
    if plan.settings:
        (flash / "settings.txt").write_text(settings_text(plan.settings))
    with (
        simulated_generator(plan.duration_s, seed=plan.seed, options=RigOptions()) as generator,
        GeneratorLink(SerialTransport(generator.port), answer_s=STARTING_S) as link,
    ):
        options = replace(plan.options(), world_source=generator.chunks())
        empty = Scenario(seed=plan.seed, duration_s=plan.duration_s)
        with rig(empty, options, flash=flash) as box:

            def clock() -> float:
                return box.bridge.virtual_s + (10 * SIMULATED_HELLO_S if box.finished else 0.0)

            yield Bench(box.port, link, clock, lambda: box.finished, f"{options.board}, simulated")


@contextlib.contextmanager
def _real(plan: Plan, port: str, generator: str) -> Iterator[Bench]:
    """Two boards; the box's settings are put back afterwards."""
    if extra := set(plan.rig) - REAL_RIG:
        raise ScenarioError(
            f"{plan.name}: {', '.join(sorted(extra))} can be had in the rig only; leave out --port or this fault"
        )
    before = _settings(port, dict(plan.settings))
    done_s: list[float] = []
    try:
        with GeneratorLink(SerialTransport(generator)) as link:

            def finished() -> bool:
                if link.done and not done_s:
                    done_s.append(time.monotonic() + plan.pattern.train_s + TAIL_S)
                return bool(done_s) and time.monotonic() > done_s[0]

            try:
                yield Bench(port, link, time.monotonic, finished, f"box at {port}")
            finally:
                with contextlib.suppress(GeneratorError, HbcError):
                    link.stop()
                if plan.settings:
                    time.sleep(QUIET_S)
    finally:
        _settings(port, before)


def _settings(port: str, wanted: dict[str, int]) -> dict[str, int]:
    """Put settings into force; return what they were."""
    if not wanted:
        return {}
    with Link(SerialTransport(port)) as link:
        link.wait_hello()
        before = {setting.name: setting.value for setting in list_settings(link)}
        for name, value in wanted.items():
            if before.get(name) != value:
                change_setting(link, name, value)
    return {name: before[name] for name in wanted if name in before}
