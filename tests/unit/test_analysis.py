"""From files and sessions to the result per site."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hbc_host.analysis import Analysis, RunInput, analyze_files, analyze_runs, analyze_session
from hbc_host.errors import InputError, NoTrainsError, TooFewBeatsError
from hbc_host.session_model import HostNote
from hbc_host.trains import PROTOCOLS

DASH = PROTOCOLS["dash"]


def two_runs(dips_bpm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Beats and edges of 180 s rest, a Dash run, 60 s rest, a Dash run; the heart falls by the given bpm."""
    rng = np.random.default_rng(11)
    onsets_s = np.concatenate((180.0 + 16.0 * np.arange(15), 500.0 + 16.0 * np.arange(15)))
    time_s = np.arange(0.0, 760.0, 0.02)
    # Breathing at 0.23 Hz is no multiple of the 16 s cycle, which could be breathing in step with the trains.
    rate = 66.0 + np.sin(2.0 * np.pi * 0.23 * time_s + 0.02 * np.cumsum(rng.standard_normal(time_s.size)))
    for onset_s, dip_bpm in zip(onsets_s, np.repeat(dips_bpm, 15), strict=True):
        since_s = time_s - onset_s - 1.0
        on = 1.0 - np.exp(-np.clip(since_s, 0.0, 5.0) / 2.0)
        rate -= dip_bpm * on * np.exp(-np.clip(since_s - 5.0, 0.0, None) / 3.0)
    phase = np.cumsum(rate) * 0.02 / 60.0
    beats_s = np.interp(np.arange(1.0, phase[-1]), phase, time_s) + rng.normal(0.0, 0.004, int(phase[-1]))
    edges_s = (onsets_s[:, None] + 0.1 * np.arange(50)[None, :]).ravel()
    return beats_s, edges_s


@dataclass
class FakeMeta:
    title: str = "P-1"
    sites: tuple[str, ...] = ("F3", "F4")
    intensities_pct: tuple[float, ...] | None = tuple(20.0 + 5.0 * n for n in range(15))


@dataclass
class FakeSession:
    beats_s: np.ndarray
    edges_s: np.ndarray
    meta: FakeMeta = field(default_factory=FakeMeta)
    path: Path = Path("s1")
    start_s: float = 0.0
    end_s: float = 760.0
    gaps_s: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ("one note",)
    host_notes: tuple[HostNote, ...] = ()
    edges_lost_n: int = 0
    frames_n: int = 9
    frames_lost_n: int = 0
    frames_bad_n: int = 0
    samples_lost_n: int = 0
    boots_n: int = 1
    hello: Any = field(default_factory=lambda: SimpleNamespace(unique_id="a1b2c3d4e5f6"))


def analyze_fake(session: FakeSession) -> Analysis:
    return analyze_session(cast(Any, session), protocol=DASH)


def test_a_session_becomes_sites_in_the_planned_order() -> None:
    analysis = analyze_fake(FakeSession(*two_runs((4.0, 0.0))))
    assert [site.site for site in analysis.sites] == ["F3", "F4"]
    coupled, silent = analysis.sites
    assert coupled.coupling.verdict == "coupled"
    assert coupled.coupling.effect_bpm == pytest.approx(4.0, abs=1.0)
    assert silent.coupling.verdict == "not_shown"
    assert coupled.p_holm >= coupled.coupling.p_value
    assert len(coupled.steps) == 15
    assert coupled.steps[3].intensity_pct == 35.0
    assert np.mean([step.effect_bpm for step in coupled.steps]) == pytest.approx(4.0, abs=1.0)
    assert all(step.low_bpm < step.effect_bpm < step.high_bpm for step in coupled.steps)
    assert coupled.response is not None
    assert coupled.response.change_bpm.min() < -2.5
    assert coupled.mean_hr_bpm == pytest.approx(64.5, abs=2.0)
    assert analysis.notes == ("one note",)
    assert analysis.quality["edges_n"] == 1500


def test_sites_are_compared_and_other_numbers_stand_beside_them() -> None:
    analysis = analyze_fake(FakeSession(*two_runs((4.0, 0.0))))
    comparison = analysis.comparison
    assert comparison is not None
    assert comparison.best == "F3"
    assert comparison.difference_shown
    assert [site.p_holm for site in comparison.sites] == [site.p_holm for site in analysis.sites]
    coupled, silent = analysis.sites
    assert coupled.published is not None
    assert silent.published is not None
    assert coupled.published.mean_log_power > silent.published.mean_log_power + 1.0
    assert math.isfinite(coupled.published.rest_log_power)
    assert coupled.published.log_power.size == 15
    assert coupled.secondary is not None
    assert coupled.secondary.t2circ_p < 0.001
    assert silent.secondary is not None
    assert silent.secondary.t2circ_p > 0.01


def test_a_threshold_is_asked_for_only_where_known_intensities_differ() -> None:
    rising = analyze_fake(FakeSession(*two_runs((4.0, 0.0))))
    assert all(site.threshold is not None for site in rising.sites)
    assert rising.sites[1].threshold is not None
    assert rising.sites[1].threshold.found == "none_found"
    for meta in (FakeMeta(intensities_pct=None), FakeMeta(intensities_pct=(50.0,) * 15)):
        flat = analyze_fake(FakeSession(*two_runs((4.0, 0.0)), meta=meta))
        assert [site.threshold for site in flat.sites] == [None, None]


def test_too_few_different_intensities_are_no_threshold_and_no_error() -> None:
    meta = FakeMeta(intensities_pct=(30.0, 40.0, 50.0))
    assert analyze_fake(FakeSession(*two_runs((4.0, 0.0)), meta=meta)).sites[0].threshold is None


def test_three_trains_per_step_share_an_intensity() -> None:
    session = FakeSession(*two_runs((4.0, 4.0)), meta=FakeMeta(intensities_pct=(30.0, 40.0, 50.0, 60.0, 70.0)))
    steps = analyze_fake(session).sites[0].steps
    assert [step.intensity_pct for step in steps] == [30.0, 40.0, 50.0, 60.0, 70.0]


def test_what_does_not_match_the_plan_is_noted() -> None:
    meta = FakeMeta(sites=("F3",), intensities_pct=(1.0, 2.0, 3.0, 4.0))
    analysis = analyze_fake(FakeSession(*two_runs((4.0, 0.0)), meta=meta))
    assert [site.site for site in analysis.sites] == ["F3", "site-2"]
    assert any("2 runs recorded, planned sites: 1" in note for note in analysis.notes)
    assert any("15 trains recorded, planned intensities: 4" in note for note in analysis.notes)


def test_a_gap_over_a_train_makes_its_step_unusable() -> None:
    analysis = analyze_fake(FakeSession(*two_runs((4.0, 0.0)), gaps_s=((226.0, 245.0),)))
    steps = analysis.sites[0].steps
    assert not steps[3].usable
    assert math.isnan(steps[3].effect_bpm)
    assert steps[10].usable
    assert analysis.sites[0].coupling.verdict == "coupled"


def test_a_session_without_edges_or_beats_says_so() -> None:
    beats_s, edges_s = two_runs((0.0, 0.0))
    with pytest.raises(NoTrainsError, match="0 trigger edges"):
        analyze_fake(FakeSession(beats_s, edges_s[:0]))
    with pytest.raises(TooFewBeatsError, match="3 beats found, at least 10"):
        analyze_fake(FakeSession(beats_s[:3], edges_s))
    with pytest.raises(NoTrainsError):
        analyze_runs([], protocol=DASH, title="", source="")


def test_an_unusable_run_stays_in_the_table() -> None:
    beats_s, edges_s = two_runs((0.0, 0.0))
    run = RunInput("F3", beats_s, edges_s[:50:50], 5.0, 0.0, 200.0)
    site = analyze_runs([run], protocol=DASH, title="t", source="s").sites[0]
    assert site.coupling.verdict == "unusable"
    assert math.isnan(site.p_holm)
    assert site.response is None
    assert not site.steps[0].usable
    assert site.published is not None  # one train is no run, but has a cycle
    assert site.secondary is not None
    assert "T2circ and harmonic F need 4" in site.secondary.reasons[0]


def test_a_pair_of_csv_files_is_analysed_in_any_order(tmp_path: Path) -> None:
    beats_s, edges_s = two_runs((4.0, 0.0))
    beats, triggers = tmp_path / "beats.csv", tmp_path / "triggers.csv"
    beats.write_text("time_s\n" + "\n".join(f"{at:.4f}" for at in beats_s))
    triggers.write_text("\n".join(f"{at:.4f}" for at in edges_s))
    analysis = analyze_files([triggers, beats], protocol=DASH)
    assert [site.coupling.verdict for site in analysis.sites] == ["coupled", "not_shown"]
    with pytest.raises(InputError, match="come in pairs"):
        analyze_files([beats], protocol=DASH)
    with pytest.raises(InputError, match="no file given"):
        analyze_files([], protocol=DASH)


def test_an_ecg_without_triggers_needs_to_know_its_first_train(tmp_path: Path) -> None:
    path = tmp_path / "ecg.txt"
    path.write_text("\n".join(str(value) for value in (100 * np.sin(np.arange(4000) * 0.3)).round(2)))
    with pytest.raises(NoTrainsError, match="--first-train-s"):
        analyze_files([path], protocol=PROTOCOLS["itbs"], rate_hz=130.0)
    with pytest.raises(NoTrainsError, match="does not end before the recording does"):
        analyze_files([path], protocol=DASH, rate_hz=130.0, first_train_s=100.0)
    with pytest.raises(InputError, match="before the recording"):
        analyze_files([path], protocol=DASH, rate_hz=130.0, first_train_s=-1.0)


def test_the_sample_recordings_give_results_in_five_seconds(shared_data: Path) -> None:
    paths = sorted((shared_data / "ncg-sample").glob("*.txt"))
    if not paths:
        pytest.skip("ncg-sample is absent: put it into the data folder of HBC_SHARED")
    began_s = time.process_time()
    analysis = analyze_files(paths, protocol=DASH, rate_hz=130.0)
    assert time.process_time() - began_s < 5.0, "of the processor: other work does not count"
    assert [site.site for site in analysis.sites] == ["5CM-L-MA", "5CM-R-MA", "BF3-L-MA", "BF3-R-MA"]
    for site in analysis.sites:
        assert site.coupling.verdict in {"coupled", "not_shown"}
        assert 43.0 < site.mean_hr_bpm < 49.5
        # The disturbance near 50 s costs a few beats, not the run.
        assert site.coupling.excluded_share < 0.05
        assert site.coupling.ci90_bpm[1] - site.coupling.ci90_bpm[0] < 4.0
        # At one site what is found may be a rise or a late fall of the trains before: one end of its interval is far.
        most_bpm = 8.0 if site.site == "5CM-R-MA" else 5.0
        assert site.coupling.ci95_bpm[1] - site.coupling.ci95_bpm[0] < most_bpm
        assert len(site.steps) == 15
    assert any("nominal" in note and "--start-uncertainty-s" in note for note in analysis.notes)
