"""Real ECG played into the world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hbc_hil.afe import FrontEnd
from hbc_hil.ecg import BLOCK_N
from hbc_hil.ecg_source import RecordedEcg, Recording, load_recording
from hbc_hil.errors import ScenarioError
from hbc_hil.scenario import Scenario, SiteScenario
from hbc_hil.world import World

pytest.importorskip("wfdb")


def write_record(folder: Path, name: str, unit: str) -> str:
    """Write ten seconds as a WFDB record of 16-bit samples, without annotation."""
    (folder / f"{name}.hea").write_text(f"{name} 1 360 3600\n{name}.dat 16 1000/{unit} 16 0 0 0 0 II\n")
    (folder / f"{name}.dat").write_bytes((1000 * np.sin(np.arange(3600) / 20.0)).astype("<i2").tobytes())
    return str(folder / name)


def play(recording: Recording, seconds: float, rate_hz: int = 4000) -> np.ndarray:
    source = RecordedEcg(recording, 1.0, rate_hz=rate_hz, duration_s=seconds)
    blocks_n = int(np.ceil(seconds * rate_hz / BLOCK_N))
    return np.concatenate([source.render(n) for n in range(blocks_n)])[: int(seconds * rate_hz)]


def test_resampling_keeps_every_sample_of_the_recording() -> None:
    rng = np.random.default_rng(3)
    recording = Recording(np.cumsum(rng.standard_normal(1000)) * 0.01, 250.0, np.array([250.0]), annotated=True)
    out_mv = play(recording, 4.0)
    assert out_mv[::16] == pytest.approx(recording.ecg_mv, abs=1e-9)


def test_a_recording_starts_over_when_the_world_outlasts_it() -> None:
    recording = Recording(np.sin(np.arange(1000) / 7.0), 250.0, np.array([250.0, 500.0]), True, ((1.0, 1.5),))
    source = RecordedEcg(recording, 1.0, rate_hz=4000, duration_s=9.0)
    assert source.beats_s.tolist() == [1.0, 2.0, 5.0, 6.0, 9.0, 10.0]
    assert source.obscured_s == ((1.0, 1.5), (5.0, 5.5), (9.0, 9.5))
    out_mv = play(recording, 8.0)
    assert out_mv[16_000:31_000] == pytest.approx(out_mv[:15_000], abs=1e-9)


def test_the_toy_ecg_plays_for_five_minutes_without_stimulation() -> None:
    world = World(Scenario.recording(1, "toy"))
    truth = world.truth
    assert world.duration_s == 300.0
    assert truth.beats_known
    assert truth.beats_s.size == 500
    assert np.diff(truth.beats_s).min() > 0.4
    assert truth.edges_ns.size == 0
    samples = np.concatenate([np.frombuffer(chunk, "<u2", offset=16) for chunk in list(world.chunks())[1:-1]])
    assert samples.std() * 62.5e-6 > 0.1


def test_toy_annotation_agrees_with_the_mit_bih_annotators(shared_data: Path) -> None:
    first_idx = 422_820  # where the toy ECG starts in record 208
    toy, record = load_recording("toy"), load_recording(str(shared_data / "mitdb" / "208"))
    assert record.ecg_mv[first_idx : first_idx + toy.ecg_mv.size] == pytest.approx(toy.ecg_mv, abs=1e-6)
    theirs = record.beats_idx - first_idx
    theirs = theirs[(theirs >= 0) & (theirs < toy.ecg_mv.size)]
    seen = np.abs(theirs[:, None] - toy.beats_idx[None, :]).min(axis=1) <= 0.051 * 360
    assert np.abs(theirs[:, None] - toy.beats_idx[None, :]).min(axis=0).max() <= 0.051 * 360  # none invented
    hidden_s = theirs[~seen] / 360
    assert hidden_s.size == 9
    assert all(any(start_s <= at_s <= end_s for start_s, end_s in toy.obscured_s) for at_s in hidden_s)


def test_a_wfdb_record_brings_its_beats(shared_data: Path) -> None:
    scenario = Scenario.recording(1, str(shared_data / "mitdb" / "101.hea"), duration_s=60.0)
    truth = World(scenario).truth
    assert truth.beats_s.size == pytest.approx(70, abs=10)
    assert truth.beats_s[-1] < 60.0


def test_a_wfdb_record_without_annotation_says_that_beats_are_unknown(tmp_path: Path) -> None:
    truth = World(Scenario.recording(1, write_record(tmp_path, "bare", "mV"))).truth
    assert not truth.beats_known
    assert truth.beats_s.size == 0
    assert truth.duration_s == 10.0


def test_a_missing_truncated_or_foreign_record_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no WFDB header"):
        load_recording(str(tmp_path / "absent"))
    breathing = write_record(tmp_path, "resp", "l")
    with pytest.raises(ScenarioError, match="not mV"):
        load_recording(breathing)
    (tmp_path / "resp.dat").write_bytes(b"\x00" * 100)
    with pytest.raises(ScenarioError, match="unreadable"):
        load_recording(breathing)


def test_trains_can_be_fired_over_a_recording_but_nothing_responds() -> None:
    site = SiteScenario("BF3-L", plateau_bpm=6.0, threshold_pct=20.0)
    scenario = replace(Scenario.recording(1, "toy", duration_s=60.0), sites=(site,), rest_first_s=10.0)
    truth = World(scenario).truth
    assert truth.edges_ns.size == 100
    assert truth.sites[0].truth_bpm == 0.0


def test_a_played_recording_fits_the_range_of_the_front_end() -> None:
    toy = load_recording("toy")
    out_v = FrontEnd(Scenario.recording(1, "toy").afe, 4000).push(play(toy, 40.0) * 0.6)
    assert ((out_v <= 0.05) | (out_v >= 3.25)).mean() < 0.001
