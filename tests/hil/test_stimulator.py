"""The stimulator: pulse patterns, trigger timing, timetable of a session, artefact in the ECG."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hbc_hil.artefact import Artefact, ArtefactSettings
from hbc_hil.errors import ScenarioError
from hbc_hil.scenario import RAMP_PCT, LeadOff, Scenario, SiteScenario
from hbc_hil.stimulator import PATTERNS, PulsePattern, StimulatorSettings, train_edges_ns

IDEAL = StimulatorSettings(jitter_ns=0.0, clock_ppm=0.0)


@pytest.mark.parametrize(("name", "pulses_n", "cycle_s"), [("dash", 50, 16.0), ("itbs", 30, 10.0), ("10hz", 40, 30.0)])
def test_published_patterns_have_their_pulse_counts_and_cycles(name: str, pulses_n: int, cycle_s: float) -> None:
    pattern = PATTERNS[name]
    assert pattern.pulses_n == pattern.offsets_ns().size == pulses_n
    assert pattern.cycle_s == cycle_s


def test_dash_edges_are_100_ms_apart_and_itbs_bursts_are_20_ms() -> None:
    dash = np.diff(train_edges_ns(PATTERNS["dash"], IDEAL, 180.0, seed=1, train_n=0))
    assert np.all(dash == 100_000_000)
    itbs = np.diff(train_edges_ns(PATTERNS["itbs"], IDEAL, 180.0, seed=1, train_n=0))
    assert np.array_equal(itbs, np.tile([20_000_000, 20_000_000, 160_000_000], 10)[:-1])


def test_edges_stray_by_the_stated_jitter_and_clock_error_only() -> None:
    settings = StimulatorSettings(jitter_ns=2000.0, clock_ppm=50.0)
    strays = []
    for train_n in range(200):
        edges_ns = train_edges_ns(PATTERNS["dash"], settings, 10.0, seed=3, train_n=train_n)
        strays.append(edges_ns - 10_000_000_000 - PATTERNS["dash"].offsets_ns() * (1 - 50e-6))
    stray_ns = np.array(strays)
    assert stray_ns.std() == pytest.approx(2000.0, rel=0.03)
    assert np.abs(stray_ns).max() <= 6001.0
    assert np.abs(stray_ns.mean(axis=0)).max() < 700.0


def test_custom_patterns_are_checked() -> None:
    assert PulsePattern("mine", 3.0, 7.0, burst_hz=20.0).pulses_n == 60
    with pytest.raises(ScenarioError, match="do not fit"):
        PulsePattern("mine", 3.0, 7.0, burst_hz=20.0, burst_pulses_n=4)
    with pytest.raises(ScenarioError, match="above 0"):
        PulsePattern("mine", 0.0, 7.0)
    with pytest.raises(ScenarioError, match="trigger width"):
        StimulatorSettings(width_us=0.0)


def test_the_demo_is_four_sites_of_the_dash_ramp_in_1384_s() -> None:
    scenario = Scenario.demo(4711)
    runs = scenario.timetable()
    assert [run.site.name for run in runs] == ["5CM-L", "BF3-L", "5CM-R", "BF3-R"]
    assert runs[-1].end_s == 1384.0
    assert runs[0].start_s == 180.0
    for run in runs:
        assert run.trains[0].onset_s == run.start_s + 16.0  # one silent cycle first
        assert tuple(train.intensity_pct for train in run.trains) == RAMP_PCT
        assert np.all(np.diff([train.onset_s for train in run.trains]) == 16.0)
    assert [later.start_s - earlier.end_s for earlier, later in itertools.pairwise(runs)] == [60.0] * 3
    assert 62.0 <= scenario.patient.mean_bpm <= 72.0


def test_pauses_can_be_jittered() -> None:
    sites = (SiteScenario("BF3-L"), SiteScenario("BF3-R"))
    scenario = Scenario(seed=2, sites=sites, stimulator=StimulatorSettings(pause_jitter_s=2.0))
    cycles_s = [np.diff([train.onset_s for train in run.trains]) for run in scenario.timetable()]
    assert np.all(np.abs(np.concatenate(cycles_s) - 16.0) <= 2.0)
    assert np.concatenate(cycles_s).std() > 0.5
    assert not np.allclose(cycles_s[0], cycles_s[1])


def test_a_limited_scenario_fires_whole_trains_only() -> None:
    scenario = Scenario(seed=1, sites=(SiteScenario("a"), SiteScenario("b")), duration_s=230.0)
    (run,) = scenario.timetable()
    assert run.end_s == 230.0
    assert [train.onset_s for train in run.trains] == [196.0, 212.0]  # the one at 228 s would not end


def test_nonsense_scenarios_are_refused_in_one_line() -> None:
    with pytest.raises(ScenarioError, match="repeat"):
        Scenario(seed=1, sites=(SiteScenario("a"), SiteScenario("a")))
    with pytest.raises(ScenarioError, match="at least 36 s"):
        Scenario.short(1, 30.0)
    with pytest.raises(ScenarioError, match="choose one of dash, itbs, 10hz"):
        Scenario.short(1, protocol="sinusoid")
    with pytest.raises(ScenarioError, match="not above 0"):
        Scenario(seed=1, duration_s=0.0)
    with pytest.raises(ScenarioError, match="lead-off"):
        Scenario(seed=1, lead_off=(LeadOff(5.0, 4.0),))


def artefact_of(settings: ArtefactSettings, rate_hz: int, seed: int = 1, block_n: int = 2000) -> np.ndarray:
    edges_ns = np.array([100_130_000, 300_000_000], dtype=np.int64)
    adder = Artefact(settings, edges_ns, np.array([50.0, 50.0]), np.array([1.0, -1.0]), rate_hz=rate_hz, seed=seed)
    blocks = [np.zeros(block_n) for _ in range(0, rate_hz // 2, block_n)]
    for n, block in enumerate(blocks):
        adder.add(n * block_n, block)
    return np.concatenate(blocks)


def test_the_artefact_keeps_its_area_at_every_rate() -> None:
    settings = ArtefactSettings(amplitude_mv=4.0, stroke_ms=0.3, tail_ms=5.0)
    areas = []
    for rate_hz in (2000, 4000, 20_000):
        out_mv = artefact_of(settings, rate_hz)
        areas.append(out_mv[: int(0.28 * rate_hz)].sum() / rate_hz)
        assert np.abs(out_mv[: int(0.0995 * rate_hz)]).max() == 0.0  # nothing before the pulse
    assert areas == pytest.approx([areas[0]] * 3, rel=1e-4)
    assert areas[0] == pytest.approx(4.0 * (0.3e-3 + 5e-3), rel=0.2)  # the size of each pulse varies by 5 %


def test_the_artefact_decays_with_its_time_constant_and_follows_polarity() -> None:
    out_mv = artefact_of(ArtefactSettings(amplitude_mv=10.0, tail_ms=8.0), 4000)
    early, late = out_mv[int(0.105 * 4000)], out_mv[int(0.113 * 4000)]
    assert late / early == pytest.approx(np.exp(-1.0), rel=0.01)
    assert out_mv[int(0.301 * 4000)] < 0.0


def test_the_artefact_does_not_depend_on_block_borders() -> None:
    settings = ArtefactSettings(amplitude_mv=2.0, recharge_mv_rms=0.5)
    whole = artefact_of(settings, 4000, block_n=2000)
    assert whole == pytest.approx(artefact_of(settings, 4000, block_n=50), abs=1e-12)
    assert whole[int(0.11 * 4000) : int(0.16 * 4000)].std() > 0.3  # recharge noise
