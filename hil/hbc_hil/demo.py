"""The whole instrument in one call: simulated box, cable, recording, analysis, and how far each is from the truth.

Together with ``bench`` the only place where the simulated world and the host meet; neither knows the other elsewhere.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hbc_host import __version__
from hbc_host.analysis import Analysis, analyze_session
from hbc_host.errors import HbcError
from hbc_host.names import REPORT_NAME
from hbc_host.record import record
from hbc_host.session import load_session, read_meta
from hbc_host.session_model import Session, SessionMeta
from hbc_host.trains import parse_protocol
from hbc_host.transport import SerialTransport

from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_hil.score import BeatScore, edge_errors, score_beats

MATCH_PATIENT_S = 0.05
MATCH_RECORDING_S = 0.15  # annotators and detectors mark different flanks of one beat: the window of ANSI/AAMI EC57
TRAIN_TAIL_S = 0.3  # after the last pulse the front end still settles
EDGE_OF_WORLD_S = 1.0  # the detector reports a beat up to 0.3 s late, and power goes off at the end
DEMO_TITLE = "demo, seed"
VIRTUAL_HELLO_S = 600.0  # the clock is virtual and runs far ahead of whoever reads


@dataclass(frozen=True)
class DemoSite:
    """One coil position: what was measured, and what the patient was made to do (``truth_bpm``)."""

    site: str
    effect_ms: float
    effect_bpm: float
    ci95_ms: tuple[float, float]
    ci95_bpm: tuple[float, float]
    p_value: float
    p_holm: float
    verdict: str
    truth_bpm: float


@dataclass(frozen=True)
class DemoResult:
    """What ``hbc demo`` shows. All but ``wall_s`` and the paths follow from the seed."""

    interpreter: str
    seed: int
    virtual_s: float
    wall_s: float
    frames_lost_n: int
    beats_n: int
    edges_n: int
    edges_true_n: int
    r_peak_rms_ms: float
    r_peak_bias_ms: float
    beat_se: float
    beat_ppv: float
    edge_interval_max_ns: float
    edge_clock_max_us: float
    edge_bracket_half_us: float
    sites: tuple[DemoSite, ...]
    analysis: Analysis
    session_path: Path


def run_demo(
    seed: int,
    out_dir: Path,
    *,
    ecg: str = "patient",
    on_progress: Callable[[float], None] | None = None,
    options: RigOptions | None = None,
) -> DemoResult:
    """Run the demonstration session through firmware, wire and host, and compare it with the truth.

    Parameters
    ----------
    seed : int
        Same seed, same numbers.
    out_dir : Path
        The recording goes to ``out_dir / "session"``; an earlier demonstration there is replaced.
    ecg : str
        ``"patient"``, ``"toy"`` or a WFDB record to be played into the electrodes.
    on_progress : callable, optional
        Gets the share done, 0..1.
    options : RigOptions, optional

    Returns
    -------
    DemoResult

    Raises
    ------
    RigError, ScenarioError, HbcError
    """
    began_s = time.monotonic()
    scenario = Scenario.demo(seed) if ecg == "patient" else Scenario.recording(seed, ecg)
    session_path = _make_room(out_dir)
    with rig(scenario, options) as box:
        summary = record(
            SerialTransport(box.port),
            session_path,
            meta=_labels(scenario, box.port),
            stop=_stopper(box, on_progress),
            clock=lambda: box.bridge.virtual_s,
            hello_timeout_s=VIRTUAL_HELLO_S,
        )
        if summary.ended == "interrupted":
            raise KeyboardInterrupt
    session = load_session(session_path)
    analysis = _analyse(session, scenario)
    return _result(box, scenario, session, analysis, began_s)


def _make_room(out_dir: Path) -> Path:
    """Remove an earlier demonstration, its report too, so that no page stands beside a recording it was not made from.

    A recording of a person is never touched: only a session that says it is a demonstration goes.
    """
    session_path = out_dir / "session"
    if session_path.exists():
        try:
            title = read_meta(session_path)[0].title
        except HbcError:
            title = ""
        if not title.startswith(DEMO_TITLE):
            raise HbcError(f"{session_path} is not an earlier demonstration; nothing was touched, choose another --out")
        shutil.rmtree(session_path)
        (out_dir / REPORT_NAME).unlink(missing_ok=True)
    return session_path


def _labels(scenario: Scenario, port: str) -> SessionMeta:
    return SessionMeta(
        created=datetime.now(UTC),
        title=f"{DEMO_TITLE} {scenario.seed}",
        protocol=scenario.pattern.name,
        sites=tuple(site.name for site in scenario.sites),
        intensities_pct=scenario.intensities_pct if scenario.sites else None,
        host_version=__version__,
        port=port,
    )


def _stopper(box: Rig, on_progress: Callable[[float], None] | None) -> Callable[[], bool]:
    def stop() -> bool:
        if on_progress is not None:
            on_progress(min(1.0, box.bridge.virtual_s / box.world.duration_s))
        return box.finished

    return stop


def _analyse(session: Session, scenario: Scenario) -> Analysis:
    protocol = parse_protocol(scenario.pattern.name)
    if scenario.sites:
        return analyze_session(session, protocol=protocol)
    return Analysis(session.meta.title, str(session.path), protocol, (), {}, ("no stimulation in this recording",))


def score_session(box: Rig, session: Session, *, start_s: float = 0.0) -> BeatScore:
    """Beats of a recording against the truth of the rig it came from, outside trains, front-end delay removed.

    ``start_s``: second of the world at which the recording began.
    """
    truth = box.world.truth
    trains = [(train.onset_s, train.end_s + TRAIN_TAIL_S) for train in truth.trains]
    return score_beats(
        truth.beats_s,
        session.beats_s - box.boot_s - truth.afe_delay_s,
        excluded=[*trains, *truth.obscured_s],
        start_s=start_s + EDGE_OF_WORLD_S,
        end_s=truth.duration_s - EDGE_OF_WORLD_S,
        within_s=MATCH_PATIENT_S if box.world.scenario.ecg == "patient" else MATCH_RECORDING_S,
    )


def _result(box: Rig, scenario: Scenario, session: Session, analysis: Analysis, began_s: float) -> DemoResult:
    truth = box.world.truth
    beats = score_session(box, session)
    interval_ns, clock_us = edge_errors(truth.edges_ns, session.edges_tick, box.boot_s)
    truth_bpm = {site.name: site.truth_bpm for site in truth.sites}
    sites = tuple(
        DemoSite(
            found.site, found.coupling.effect_ms, found.coupling.effect_bpm, found.coupling.ci95_ms,
            found.coupling.ci95_bpm, found.coupling.p_value, found.p_holm, found.coupling.verdict,
            truth_bpm.get(found.site, float("nan")),
        )
        for found in analysis.sites
    )  # fmt: skip
    return DemoResult(
        interpreter=str(box.report["interpreter"]),
        seed=scenario.seed,
        virtual_s=float(box.report["virtual_s"]),
        wall_s=time.monotonic() - began_s,
        frames_lost_n=session.frames_lost_n + session.frames_bad_n,
        beats_n=int(session.beats_us.size),
        edges_n=int(session.edges_tick.size),
        edges_true_n=int(truth.edges_ns.size),
        r_peak_rms_ms=beats.rms_ms,
        r_peak_bias_ms=beats.bias_ms,
        beat_se=beats.se,
        beat_ppv=beats.ppv,
        edge_interval_max_ns=interval_ns,
        edge_clock_max_us=clock_us,
        edge_bracket_half_us=session.hello.bracket_half_ns * 1e-3,
        sites=sites,
        analysis=analysis,
        session_path=session.path,
    )
