"""Recordings of one run, with a response that is known or without any: real hearts and simulated ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from backgrounds import FloatArray, TrueResponse, draw_response, simulated_beats, warp
from hbc_host import design as build
from hbc_host.beats import classify_beats
from hbc_host.coupling import CouplingResult, RunFit, estimate_coupling, fit_candidates
from hbc_host.response import Shape
from hbc_host.trains import Protocol, parse_protocol
from threshold_world import DosedResponse

TRAINS_N = {"dash": 15, "itbs": 20, "ramp": 15}
REST_S = 160.0
#: A ramp's response reaches half its plateau between these steps (from 0), and rises over about four widths.
RAMP_FIRST, RAMP_LAST, RAMP_WIDTH = 5.0, 10.0, 0.8


@dataclass(frozen=True)
class Run:
    """One recording and what is true of it: the response (None without) and the plateau's share in each train."""

    beats_s: FloatArray
    onsets_s: FloatArray
    protocol: Protocol
    intensities_pct: FloatArray | None
    response: TrueResponse | None
    dose: FloatArray

    @property
    def truth_bpm(self) -> float:
        """Mean over trains of the largest fall after onset."""
        if self.response is None:
            return 0.0
        return self.response.mean_fall_bpm(self.onsets_s, self.protocol.train_s, self.protocol.cycle_s)

    def estimate(self, oracle: bool = False) -> CouplingResult:
        """The estimator as it is, or told the true shape and dose of this run's response."""
        if oracle:
            return self.told(self).result
        train_s = self.protocol.train_s
        return estimate_coupling(self.beats_s, self.onsets_s, train_s=train_s, intensities_pct=self.intensities_pct)

    def told(self, shaped: Run) -> RunFit:
        """The estimator told shape and dose of a run that has a response."""
        assert shaped.response is not None
        design = build.design_run(classify_beats(self.beats_s), self.onsets_s, self.protocol.train_s)
        truth = (shaped.truth(shaped.response),)
        return fit_candidates(design, truth, None, 0.0, is_ramp=self.intensities_pct is not None)

    def truth(self, response: TrueResponse) -> build.Hypothesis:
        """The only hypothesis of one who knows the response."""
        shape = Shape(response.latency_s, response.growth_s, response.recovery_s)
        left = 1.0 - response.habituation * np.linspace(0.0, 1.0, self.onsets_s.size)
        return build.Hypothesis(shape, self.dose * left, 0.0)


def make_run(background: str, name: str, dip_bpm: float, seed: int, windows: list[tuple[str, FloatArray]]) -> Run:
    """One recording: 160 s rest, then a run of equal dose or a ramp."""
    rng = np.random.default_rng((seed, round(100 * dip_bpm)))
    protocol = parse_protocol("dash" if name == "ramp" else name)
    trains_n = TRAINS_N[name]
    if background == "real":
        beats_s = windows[seed % len(windows)][1]
        first_s = REST_S + rng.uniform(0.0, protocol.cycle_s)
    else:
        beats_s = simulated_beats(rng, REST_S + protocol.cycle_s * (trains_n + 2))
        first_s = REST_S
    onsets_s = first_s + protocol.cycle_s * np.arange(trains_n)
    intensities_pct, dose, response = None, np.ones(trains_n), None
    if name == "ramp":
        middle = rng.uniform(RAMP_FIRST, RAMP_LAST)
        dose = 1.0 / (1.0 + np.exp((middle - np.arange(trains_n)) / RAMP_WIDTH))
        intensities_pct = 20.0 + 5.0 * np.arange(trains_n)
    if dip_bpm != 0.0:
        response = draw_response(rng, dip_bpm)
        if name == "ramp":
            response = DosedResponse(**asdict(response), dose=tuple(dose.tolist()))
        beats_s = warp(beats_s, response, onsets_s, protocol.train_s)
    beats_s = beats_s[beats_s < onsets_s[-1] + protocol.cycle_s]
    return Run(beats_s, onsets_s, protocol, intensities_pct, response, dose)


def duration_s(name: str) -> float:
    """Length of a real window: rest, one cycle of random start, the run."""
    return REST_S + parse_protocol("dash" if name == "ramp" else name).cycle_s * (TRAINS_N[name] + 1)


def dips_bpm_of(name: str) -> tuple[float, ...]:
    """Dips that are studied; of a ramp they are plateaus."""
    return (0.0, 2.0, 3.0, 6.0) if name == "ramp" else (0.0, 1.0, 2.0, 3.0)


def shaped_like(run: Run, name: str, number: int) -> Run:
    """The run itself, or where it has no response another one with the response that a known shape is taken from."""
    return run if run.response is not None else make_run("sim", name, 2.0, number, [])
