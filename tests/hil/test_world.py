"""The rendered stream: format, determinism, and truth that agrees with what is rendered."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hbc_hil.afe import VOLT_PER_LSB, AfeSettings
from hbc_hil.artefact import ArtefactSettings
from hbc_hil.errors import ScenarioError
from hbc_hil.patient import PatientSettings
from hbc_hil.scenario import LeadOff, Scenario
from hbc_hil.world import EVENT, World

SHORT = Scenario.short(5, 60.0)


def parse(stream: Iterator[bytes]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (start_ns, samples, events) of each chunk and check the framing."""
    magic, version, rate_hz, zero = struct.unpack("<4sIII", next(stream))
    assert (magic, version, zero) == (b"HBCW", 1, 0)
    assert rate_hz >= 1000
    for chunk in stream:
        start_ns, samples_n, events_n = struct.unpack_from("<QII", chunk)
        assert len(chunk) == 16 + 2 * samples_n + 16 * events_n
        samples = np.frombuffer(chunk, "<u2", samples_n, 16)
        yield start_ns, samples, np.frombuffer(chunk, EVENT, events_n, 16 + 2 * samples_n)


def render(world: World, chunk_s: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return all samples (the shared one once) and all events."""
    *chunks, _ = parse(world.chunks(chunk_s))
    samples = np.concatenate([samples[:-1] for _, samples, _ in chunks] + [chunks[-1][1][-1:]])
    return samples, np.concatenate([events for _, _, events in chunks])


def test_chunks_join_without_a_gap_and_end_with_the_world() -> None:
    world = World(SHORT)
    chunks = list(parse(world.chunks(0.7)))
    for (start_ns, samples, events), (next_ns, next_samples, _) in itertools.pairwise(chunks):
        assert next_ns - start_ns == (samples.size - 1) * 250_000
        if next_samples.size:
            assert samples[-1] == next_samples[0]
        assert np.all((events["t_ns"] >= start_ns) & (events["t_ns"] < next_ns))
        assert np.all(np.diff(events["t_ns"].astype(np.int64)) >= 0)
    end_ns, samples, events = chunks[-1]
    assert (end_ns, samples.size, events.size) == (60_000_000_000, 0, 0)


def test_the_bytes_do_not_depend_on_chunk_length_or_on_earlier_rendering() -> None:
    world = World(SHORT)
    samples, events = render(world)
    for chunk_s in (0.0321, 5.0, 1000.0):
        again, events_again = render(world, chunk_s)
        assert np.array_equal(samples, again)
        assert np.array_equal(events, events_again)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    first, second = (b"".join(World(Scenario.short(5, 60.0)).chunks()) for _ in range(2))
    assert first == second
    assert first != b"".join(World(Scenario.short(6, 60.0)).chunks())


def test_the_trigger_wire_carries_every_true_edge_at_its_width() -> None:
    scenario = replace(SHORT, stimulator=replace(SHORT.stimulator, width_us=100.0))
    world = World(scenario)
    _, events = render(world)
    rising, falling = events[events["level"] == 1]["t_ns"], events[events["level"] == 0]["t_ns"]
    assert np.array_equal(rising.astype(np.int64), world.truth.edges_ns)
    assert np.all(falling - rising == 100_000)
    assert world.truth.edges_ns.size == 100
    assert [train.pulses_n for train in world.truth.trains] == [50, 50]
    assert world.truth.trains[0].onset_s == pytest.approx(20.0, abs=5e-6)


def test_output_peaks_lie_on_the_true_beats_plus_the_stated_delay() -> None:
    scenario = replace(Scenario.short(8, 120.0), artefact=ArtefactSettings(amplitude_mv=0.0))
    world = World(scenario)
    volts = render(world)[0] * VOLT_PER_LSB
    errors_s = []
    for beat_s in world.truth.beats_s[1:-1]:
        expected = round((beat_s + world.truth.afe_delay_s) * 4000)
        window = volts[expected - 80 : expected + 81]
        curve = np.polynomial.Polynomial.fit(np.arange(-12, 13), window[80 - 12 : 93], 2)
        assert abs(int(window.argmax()) - 80) <= 12
        errors_s.append((expected - curve.coef[1] / curve.coef[2] * 6.0) / 4000 - beat_s - world.truth.afe_delay_s)
    assert np.mean(errors_s) == pytest.approx(0.0, abs=0.3e-3)
    assert np.std(errors_s) < 0.4e-3


def test_the_demo_has_two_couplers_and_two_sites_that_never_couple() -> None:
    truth = World(Scenario.demo(1)).truth
    effects_bpm = {site.name: site.truth_bpm for site in truth.sites}
    assert effects_bpm["BF3-L"] > effects_bpm["5CM-L"] > 1.0
    assert effects_bpm["5CM-R"] == effects_bpm["BF3-R"] == 0.0
    strongest = [train.fall_bpm for train in truth.trains if train.site == "BF3-L"]
    assert 5.0 < max(strongest) < 6.0
    assert truth.sites[1].truth_bpm == pytest.approx(np.mean(strongest))
    assert truth.edges_ns.size == 4 * 15 * 50
    assert truth.duration_s == 1384.0


def test_beats_slow_down_after_the_trains_of_a_coupling_site() -> None:
    quiet = PatientSettings(rsa_bpm_rms=0.0, mayer_bpm_rms=0.0, pink_bpm_rms=0.0, beat_jitter_ms=0.0)
    truth = World(replace(Scenario.short(2, 200.0), patient=quiet)).truth
    rate_bpm = 60.0 / np.diff(truth.beats_s)
    for train in truth.trains:
        after = (truth.beats_s[1:] > train.onset_s) & (truth.beats_s[1:] < train.onset_s + 16.0)
        before = rate_bpm[truth.beats_s[1:] <= train.onset_s][-1]
        seen_bpm = before - rate_bpm[after].min()
        # An RR interval averages the rate over a second, so beats show a little less than the true fall.
        assert train.fall_bpm - 0.7 < seen_bpm < train.fall_bpm + 0.1


def test_a_strong_artefact_rails_the_front_end_and_a_weak_one_does_not() -> None:
    railed = []
    for amplitude_mv in (1.0, 20.0):
        scenario = replace(SHORT, artefact=ArtefactSettings(amplitude_mv=amplitude_mv, tail_ms=8.0))
        volts = render(World(scenario))[0] * VOLT_PER_LSB
        railed.append(bool(((volts <= 0.05) | (volts >= 3.25)).any()))
    assert railed == [False, True]


def test_lead_off_shows_on_its_wire_and_on_the_rail() -> None:
    spans = (LeadOff(5.0, 7.5, "LA"), LeadOff(30.0, 31.0, "RA"))
    world = World(replace(SHORT, lead_off=spans))
    samples, events = render(world)
    leads = events[events["wire"] != 0]
    assert leads["t_ns"].tolist() == [5_000_000_000, 7_500_000_000, 30_000_000_000, 31_000_000_000]
    assert leads["wire"].tolist() == [1, 1, 2, 2]
    assert leads["level"].tolist() == [1, 0, 1, 0]
    assert np.all(samples[20_000:30_000] == round(AfeSettings().rail_high_v / VOLT_PER_LSB))
    assert np.all(samples[120_000:124_000] == round(AfeSettings().rail_low_v / VOLT_PER_LSB))
    assert world.truth.lead_off == spans


def test_a_world_without_sites_needs_an_end() -> None:
    assert World(Scenario(seed=1, duration_s=12.5)).duration_s == 12.5
    with pytest.raises(ScenarioError, match="give duration_s"):
        World(Scenario(seed=1))
    with pytest.raises(ScenarioError, match="divide"):
        World(SHORT, analog_rate_hz=4096)


def test_the_whole_demo_renders_within_seconds_of_cpu() -> None:
    """Measured 2 s; other work on the same processor makes a second of it worth less."""
    start_s = time.process_time()
    bytes_n = sum(map(len, World(Scenario.demo(4711)).chunks()))
    assert bytes_n > 1384 * 4000 * 2
    assert time.process_time() - start_s < 8.0
