"""The TMS stimulator: when pulses fire, and what its trigger output does.

Times are integer nanoseconds of the world's clock, which is the box's crystal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.draws import draws
from hbc_hil.errors import ScenarioError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PulsePattern:
    """Repeating pulse trains.

    Parameters
    ----------
    name : str
    train_s, pause_s : float
        Length of a train and of the pause after it.
    burst_hz : float
        Bursts per second within the train.
    burst_pulses_n : int
        Pulses per burst; 1 = plain repetitive stimulation.
    burst_pulse_hz : float
        Pulse rate within a burst.

    Raises
    ------
    ScenarioError
        If bursts overlap or a length is not positive.
    """

    name: str
    train_s: float
    pause_s: float
    burst_hz: float = 10.0
    burst_pulses_n: int = 1
    burst_pulse_hz: float = 50.0

    def __post_init__(self) -> None:
        if min(self.train_s, self.pause_s, self.burst_hz, self.burst_pulse_hz) <= 0 or self.burst_pulses_n < 1:
            raise ScenarioError(f"pattern {self.name!r}: lengths, rates and pulse count must be above 0")
        if (self.burst_pulses_n - 1) / self.burst_pulse_hz >= 1.0 / self.burst_hz:
            raise ScenarioError(
                f"pattern {self.name!r}: {self.burst_pulses_n} pulses at {self.burst_pulse_hz:g} Hz do not fit "
                f"into {1.0 / self.burst_hz:g} s: lower the pulse count or the burst rate"
            )

    @property
    def cycle_s(self) -> float:
        """Train and pause."""
        return self.train_s + self.pause_s

    @property
    def pulses_n(self) -> int:
        """Pulses per train."""
        return max(1, round(self.train_s * self.burst_hz)) * self.burst_pulses_n

    def offsets_ns(self) -> IntArray:
        """Return the nominal pulse times after train onset, shape (pulses_n,), nanoseconds."""
        bursts_n = self.pulses_n // self.burst_pulses_n
        burst_s = np.arange(bursts_n)[:, None] / self.burst_hz
        pulse_s = np.arange(self.burst_pulses_n)[None, :] / self.burst_pulse_hz
        return np.asarray(np.rint((burst_s + pulse_s).ravel() * 1e9), dtype=np.int64)


PATTERNS = {
    "dash": PulsePattern("dash", 5.0, 11.0),
    "itbs": PulsePattern("itbs", 2.0, 8.0, burst_hz=5.0, burst_pulses_n=3),
    "10hz": PulsePattern("10hz", 4.0, 26.0),
}


@dataclass(frozen=True)
class StimulatorSettings:
    """Trigger output and timing of the stimulator.

    Parameters
    ----------
    width_us : float
        High time of the trigger pulse; the rising edge is the TMS pulse.
    jitter_ns : float
        Standard deviation of each pulse against the stimulator's clock, cut at three deviations.
    clock_ppm : float
        Error of the stimulator's clock within a train, relative to the box's crystal.
    pause_jitter_s : float
        Half-range of a uniform change of each pause, to break the fixed cycle; 0 = fixed cycle.
    """

    width_us: float = 50.0
    jitter_ns: float = 500.0
    clock_ppm: float = 20.0
    pause_jitter_s: float = 0.0

    def __post_init__(self) -> None:
        if self.width_us <= 0 or self.jitter_ns < 0 or self.pause_jitter_s < 0:
            raise ScenarioError(
                f"trigger width {self.width_us:g} us must be above 0, jitter {self.jitter_ns:g} ns and pause "
                f"jitter {self.pause_jitter_s:g} s at least 0"
            )


def train_edges_ns(
    pattern: PulsePattern, settings: StimulatorSettings, onset_s: float, *, seed: int, train_n: int
) -> IntArray:
    """Return the rising trigger edges of one train.

    Parameters
    ----------
    pattern : PulsePattern
    settings : StimulatorSettings
    onset_s : float
        Planned time of the first pulse, world seconds.
    seed : int
    train_n : int
        Running number of the train in the session; keys its jitter.

    Returns
    -------
    array of int64 (pulses_n,), nanoseconds, strictly increasing
    """
    jitter = np.clip(draws(seed, "pulse jitter", train_n).standard_normal(pattern.pulses_n), -3.0, 3.0)
    stretch = 1.0 - settings.clock_ppm * 1e-6  # a fast clock fires early
    elapsed_ns = np.rint(pattern.offsets_ns() * stretch + jitter * settings.jitter_ns).astype(np.int64)
    return np.asarray(math.floor(onset_s * 1e9) + elapsed_ns, dtype=np.int64)
