"""Hardware-in-the-loop runs: a plan becomes a recording becomes findings.

Together with ``demo`` the only place where the simulated world and the host meet; neither knows the other elsewhere.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hbc_host import __version__
from hbc_host.errors import HbcError, TransportError
from hbc_host.record import RecordSummary, record
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport, Transport

from hbc_hil.bench.cable import LossyTransport
from hbc_hil.bench.evidence import read_evidence
from hbc_hil.bench.finding import Finding, passed
from hbc_hil.bench.judge_rig import judge_rig
from hbc_hil.bench.plan import Plan
from hbc_hil.bench.wire_faults import WireFaults, pulses_of, with_pulses
from hbc_hil.faults import FaultyTransport
from hbc_hil.rig import rig
from hbc_hil.world import World

HELLO_VIRTUAL_S = 600.0  # a virtual clock runs far ahead of whoever reads
HELLO_PACED_S = 30.0
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Outcome:
    """One run, judged.

    Attributes
    ----------
    plan : Plan
    findings : tuple of Finding
    facts : dict
        What ran, for the header: interpreter, virtual seconds, ports.
    wall_s : float
    """

    plan: Plan
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]
    wall_s: float

    @property
    def passed(self) -> bool:
        """True when nothing failed."""
        return passed(list(self.findings))


def settings_text(settings: Mapping[str, int]) -> str:
    """The file in which the box keeps its settings: a line each, and the CRC-32 of all before the last."""
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    return f"{lines}crc={zlib.crc32(lines.encode()):08x}\n"


def run_in_rig(plan: Plan, folder: Path, *, on_progress: Progress | None = None) -> Outcome:
    """Run a plan in the simulated world.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Empty or new; recording and the box's file system go there.
    on_progress : callable, optional
        Gets the share done, 0..1.

    Raises
    ------
    RigError, ScenarioError, EvidenceError, HbcError
    """
    began_s = time.monotonic()
    scenario, options = plan.scenario(), plan.options()
    world = World(scenario)
    pulses = pulses_of(world.truth.edges_ns, plan.width_us, plan.wire)
    if plan.wire != WireFaults():
        options = replace(options, world_source=with_pulses(world.chunks(), pulses, active_low=plan.wire.active_low))
    flash = folder / "flash"
    flash.mkdir(parents=True)
    if plan.settings:
        (flash / "settings.txt").write_text(settings_text(plan.settings))
    with rig(scenario, options, flash=flash) as box:

        def stop() -> bool:
            if on_progress is not None:
                on_progress(min(1.0, box.bridge.virtual_s / world.duration_s))
            return box.finished

        def virtual_s() -> float:
            # A box that fell silent for good must not leave its host waiting in a time that stands still.
            return box.bridge.virtual_s + (10 * HELLO_VIRTUAL_S if box.finished else 0.0)

        fault: HbcError | None = None
        try:
            summary = record(
                cable(plan, box.port),
                folder / "session",
                meta=labels(plan, box.port),
                stop=stop,
                on_event=quiet,
                clock=time.monotonic if options.paced else virtual_s,
                ping=options.paced,
                hello_timeout_s=HELLO_PACED_S if options.paced else HELLO_VIRTUAL_S,
            )
            must_be_whole(summary)
        except HbcError as error:  # when the firmware failed, the rig says so on leaving, and says it better
            fault = error
    if fault is not None:
        raise fault
    findings = judge_rig(plan, box, read_evidence(folder / "session"), pulses)
    facts = {
        "board": f"{options.board}, simulated, firmware on {box.report['interpreter']}",
        "virtual_s": float(box.report["virtual_s"]),
        "edges_n": len(pulses),
        "captures_overwritten_n": int(box.report.get("captures_overwritten_n", 0)),
        "stalls_n": int(box.report["stalls_n"]),
    }
    return Outcome(plan, tuple(findings), facts, time.monotonic() - began_s)


def quiet(_: str) -> None:
    """A restart of the box is a matter of the judge here, not of the screen."""


def must_be_whole(summary: RecordSummary) -> None:
    """Half a recording is not judged: raise KeyboardInterrupt after Ctrl-C, TransportError when the port went away."""
    if summary.ended == "interrupted":
        raise KeyboardInterrupt
    if summary.ended != "stopped":
        raise TransportError(summary.reason)


def cable(plan: Plan, port: str) -> Transport:
    """The serial line to the box, with what is wrong with it."""
    transport: Transport = SerialTransport(port)
    if plan.cable.flip_per_byte:
        transport = FaultyTransport(transport, flip_per_byte=plan.cable.flip_per_byte, seed=plan.seed)
    if plan.cable.lost_every_bytes_n:
        transport = LossyTransport(
            transport, every_bytes_n=plan.cable.lost_every_bytes_n, lost_bytes_n=plan.cable.lost_bytes_n,
            seed=plan.seed,
        )  # fmt: skip
    return transport


def labels(plan: Plan, port: str) -> SessionMeta:
    """Labels of the recording."""
    return SessionMeta(
        created=datetime.now(UTC),
        title=f"hil {plan.name}",
        protocol=plan.pattern.name,
        sites=("hil",),
        intensities_pct=None,
        host_version=__version__,
        port=port,
    )
