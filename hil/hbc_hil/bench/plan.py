"""What a hardware-in-the-loop run is made of: a scenario file, faults by name, limits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hbc_hil.bench.wire_faults import WireFaults
from hbc_hil.errors import ScenarioError
from hbc_hil.front_ends import with_front_end
from hbc_hil.rig import RigOptions
from hbc_hil.scenario import LeadOff, Scenario, SiteScenario
from hbc_hil.stimulator import PATTERNS, PulsePattern

SCENARIOS = Path(__file__).parent / "scenarios"
# 1 kHz for half a second is all that a log of 1024 edges and a line of 115200 baud take without a loss.
HIL_PATTERNS = PATTERNS | {
    "stress_1khz": PulsePattern("stress_1khz", 0.5, 5.5, burst_hz=1000.0),
    "flood": PulsePattern("flood", 4.0, 12.0, burst_hz=1000.0),
    "itbs_gentle": PulsePattern("itbs_gentle", 2.0, 3.0, burst_hz=5.0, burst_pulses_n=3),
}


@dataclass(frozen=True)
class Limits:
    """What must hold; the defaults are the project's requirements, a scenario may say otherwise and why."""

    interval_ns: float = 25.0
    half_bracket_us: float = 10.0
    edge_slack_us: float = 0.0  # what the wire itself leaves open, such as which of several bounces is timed
    silent_n: int = 0
    told_missed_n: int = 0
    in_transit_n: int = 0
    samples_missed_share: float = 0.0
    sampling_jitter_us: float = 250.0
    sample_rate_ppm: float = 1.0
    sample_instants_us: float = 20.0
    sample_gain_pct: float = 3.0  # a converter that nobody calibrated, bent within its range
    r_peak_rms_ms: float = 2.0
    beats_share: float = 0.99
    frames_lost_n: int = 0
    line_share: float = 0.9
    latency_ms: float = 250.0
    lead_off_s: float = 1.2
    recovery_s: float = 3.0
    drift_ppm: float = 0.1
    anchor_us: float = 10.0
    soft_jitter_us: float = 500.0
    ticks_wraps_n: int = 0
    capture_wraps_n: int = 0


@dataclass(frozen=True)
class Cable:
    """What is wrong with the serial line; the default is a good one."""

    flip_per_byte: float = 0.0
    lost_every_bytes_n: int = 0
    lost_bytes_n: int = 600


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes
    ----------
    name, why : str
    world : str
        ``"rig"``: the simulated world, its truth is known. ``"generator"``: a trigger generator, simulated or real.
    seed : int
    duration_s, rest_s : float
    pattern : PulsePattern
    stimulation : bool
        False: no pulse at all.
    ecg : str
        As in :class:`hbc_hil.scenario.Scenario`; ``"none"`` for a generator without a DAC.
    width_us : float
        Of a trigger pulse.
    rig : dict
        Options of :class:`hbc_hil.rig.RigOptions`.
    wire : WireFaults
    cable : Cable
    settings : dict of str to int
        Settings of the box, kept in its file system before it is switched on.
    lead_off : tuple of LeadOff
    limits : Limits
    faults : tuple of str
        Names from ``faults.toml`` that are worked in already.
    """

    name: str
    why: str = ""
    world: str = "rig"
    seed: int = 1
    duration_s: float = 60.0
    rest_s: float = 6.0
    pattern: PulsePattern = PATTERNS["dash"]
    stimulation: bool = True
    ecg: str = "patient"
    width_us: float = 50.0
    rig: Mapping[str, Any] = field(default_factory=dict)
    wire: WireFaults = field(default_factory=WireFaults)
    cable: Cable = field(default_factory=Cable)
    settings: Mapping[str, int] = field(default_factory=dict)
    lead_off: tuple[LeadOff, ...] = ()
    limits: Limits = field(default_factory=Limits)
    faults: tuple[str, ...] = ()

    def options(self) -> RigOptions:
        """How the rig is to be built."""
        return RigOptions(**self.rig)

    def scenario(self) -> Scenario:
        """The simulated session: equal trains until the end, the last one over before the last reports."""
        trains_n = max(0, int((self.duration_s - self.rest_s - 2.5 - self.pattern.train_s) // self.pattern.cycle_s) + 1)
        base = Scenario(seed=self.seed, ecg=self.ecg, duration_s=self.duration_s, lead_off=self.lead_off)
        base = with_front_end(base, str(self.rig.get("front_end", "ad8232")))
        if not self.stimulation or not trains_n:
            return base
        return replace(
            base,
            sites=(SiteScenario("hil", plateau_bpm=3.0),),
            pattern=self.pattern,
            intensities_pct=(40.0,) * trains_n,
            rest_first_s=self.rest_s,
            rest_cycles_n=0,
            stimulator=replace(base.stimulator, width_us=self.width_us),
            recording_gain=0.6 if self.ecg == "toy" else 1.0,
        )


def scenario_names() -> tuple[str, ...]:
    """Scenarios that are shipped."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.toml") if path.stem != "faults"))


def fault_names() -> tuple[str, ...]:
    """Faults that ``--faults`` knows."""
    return tuple(sorted(_tables(SCENARIOS / "faults.toml")))


def load_plan(source: str, *, faults: Sequence[str] = (), seed: int | None = None) -> Plan:
    """Read a scenario file, or a shipped one by its name, and work faults into it.

    Parameters
    ----------
    source : str
        Path of a TOML file, or a name from :func:`scenario_names`.
    faults : sequence of str
        Names from ``faults.toml``, after those that the file asks for itself.
    seed : int, optional
        Instead of the file's.

    Raises
    ------
    ScenarioError
        There is no such file or fault, or a name or value in it is not known.
    """
    path = Path(source)
    if not path.is_file():
        path = SCENARIOS / f"{source}.toml"
    if not path.is_file():
        raise ScenarioError(f"no scenario {source!r}: give a TOML file, or one of {', '.join(scenario_names())}")
    tables = _tables(path)
    wanted = (*tables.pop("faults", ()), *faults)
    known = _tables(SCENARIOS / "faults.toml")
    for name in wanted:
        if name not in known:
            raise ScenarioError(f"no fault {name!r}: choose from {', '.join(sorted(known))}")
        patch = {key: value for key, value in known[name].items() if key != "why"}
        tables = _merged(tables, patch)
    tables["name"] = "+".join((path.stem, *faults))
    if seed is not None:
        tables["seed"] = seed
    plan = replace(_plan_of(tables, path), faults=tuple(wanted))
    if plan.world not in ("rig", "generator"):
        raise ScenarioError(f'{path}: world is {plan.world!r}, it must be "rig" or "generator"')
    return plan


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path} is no TOML file: {error}") from error


def _merged(tables: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A fault's values over the file's; of two limits the wider one holds, so that faults add up."""
    merged = dict(tables)
    for key, value in patch.items():
        if key == "limits":
            old = merged.get(key, {})
            merged[key] = old | {name: max(limit, old.get(name, limit)) for name, limit in value.items()}
        elif isinstance(value, Mapping):
            merged[key] = _merged(merged.get(key, {}), value)
        else:
            merged[key] = value
    return merged


def _plan_of(tables: dict[str, Any], path: Path) -> Plan:
    values = dict(tables)
    try:
        pattern = values.get("pattern", "dash")
        if isinstance(pattern, str) and pattern not in HIL_PATTERNS:
            raise ScenarioError(f"{path}: no pattern {pattern!r}: choose one of {', '.join(HIL_PATTERNS)}")
        values["pattern"] = HIL_PATTERNS[pattern] if isinstance(pattern, str) else PulsePattern("custom", **pattern)
        wire = values.get("wire", {})
        values["wire"] = WireFaults(**wire | {"stuck_s": tuple(map(tuple, wire.get("stuck_s", ())))})
        values["cable"] = Cable(**values.get("cable", {}))
        values["limits"] = Limits(**values.get("limits", {}))
        values["lead_off"] = tuple(LeadOff(**span) for span in values.get("lead_off", ()))
        values["rig"] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.get("rig", {}).items()}
        known = {each.name for each in fields(RigOptions)} - {"world_source", "inputs"}
        if unknown := set(values["rig"]) - known:
            raise ScenarioError(f"{path}: the rig has no option {', '.join(sorted(unknown))}; it has {sorted(known)}")
        return Plan(**values)
    except TypeError as error:
        raise ScenarioError(
            f"{path}: {error}".replace("__init__() got an unexpected keyword argument", "knows no")
        ) from error
