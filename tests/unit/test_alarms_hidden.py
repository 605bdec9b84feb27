"""A heart that artefacts hide is "not visible", whatever the detector makes of the stretch between rails."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host.alarms import NOT_VISIBLE, PAUSE, AlarmCriteria, AlarmMonitor
from hbc_native.detector import SIGNAL_STATES, RPeakDetector
from hbc_wire import messages
from support_alarms import make, play

RATE_HZ, DURATION_S = 500, 180.0
RAIL_LSB = 2047


def railed_ecg(pulse_hz: float, rail_s: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """ECG of some 70 beats/min; from 60 s on, trains of 5 s every 30 s, each pulse with time on the rail and a tail."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    beats_s = np.cumsum(0.75 + 0.2 * rng.random(400))
    after = np.searchsorted(beats_s, time_s)
    away_s = np.minimum(np.abs(time_s - beats_s[after]), np.abs(time_s - beats_s[np.maximum(after - 1, 0)]))
    ecg = 1000.0 * np.exp(-((away_s / 0.012) ** 2)) + 60.0 * (rng.random(time_s.size) - 0.5)
    in_train = (time_s > 60.0) & (time_s % 30.0 < 5.0)
    since_s = time_s % 30.0 % (1.0 / pulse_hz)
    ecg += np.where(in_train, 1500.0 * np.exp(-(since_s - rail_s) / 0.006), 0.0)
    ecg[in_train & (since_s < rail_s)] = RAIL_LSB
    return np.clip(ecg, -RAIL_LSB - 1, RAIL_LSB).astype(np.int16), in_train & (since_s < 0.008)


@pytest.mark.parametrize("pulse_hz", [10.0, 20.0])
@pytest.mark.parametrize("rail_s", [0.016, 0.024])
def test_beats_that_a_rail_hides_are_no_pause_of_the_heart(pulse_hz: float, rail_s: float) -> None:
    ecg, blanked = railed_ecg(pulse_hz, rail_s, seed=3)
    detector = RPeakDetector(RATE_HZ)
    detector.set_rails(-RAIL_LSB, RAIL_LSB - 1)  # as the box does from its front end
    beats_s: list[float] = []
    told = []
    for second in range(int(DURATION_S)):
        part = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
        peaks = detector.push(ecg[part], blanked[part])
        beats_s += ((peaks["sample_idx"] + peaks["frac_q8"] / 256) / RATE_HZ).tolist()
        state = SIGNAL_STATES.index(detector.signal_state)
        told.append((second + 1.01, make(messages.Health, health_us=(second + 1) * 1_000_000, signal_state=state)))
    alarms = play(AlarmMonitor(AlarmCriteria()), beats_s, DURATION_S, told)
    began = [alarm.kind for _, alarm in alarms if alarm.began]
    assert PAUSE not in began
    assert began.count(NOT_VISIBLE) == 4, "once a train"
