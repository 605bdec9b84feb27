"""The full chain of the coupling study in small: one heart through box, wire and reader comes out as it went in."""

from __future__ import annotations

import numpy as np
import pytest
from chain import ChainRun, chain_run, unmatched_n
from recordings import make_run

#: The calmest heart of the first sixty seeds: 1.7 bpm of fluctuations.
CALM_SEED, DIP_BPM = 26, 6.0
BOOT_S = 0.25  # device time when the world begins
RIG_BRACKET_S = 5e-6  # how well the box knows its capture counter against its clock


@pytest.fixture(scope="module")
def found() -> ChainRun:
    return chain_run("dash", DIP_BPM, CALM_SEED)


def test_every_beat_comes_through_within_milliseconds(found: ChainRun) -> None:
    assert (found.beats_lost_n, found.beats_added_n) == (0, 0)
    true_s, beats_s = found.true_run.beats_s, found.run.beats_s
    assert true_s.size > 400
    late_ms = 1e3 * (beats_s - true_s - BOOT_S)
    assert np.median(late_ms) == pytest.approx(5.1, abs=0.3), "the front end's delay, not taken off"
    rest = true_s < found.true_run.onsets_s[0]
    assert late_ms[rest].std() < 0.5
    assert np.abs(late_ms - np.median(late_ms)).max() < 10.0, "a pulse may move a beat, but not far"
    assert 0.01 < late_ms[rest].std() < late_ms[~rest].std(), "noise, and artefacts on top, have been through here"


def test_no_train_is_lost_and_onsets_are_exact(found: ChainRun) -> None:
    true_run, run = found.true_run, found.run
    assert run.onsets_s.size == true_run.onsets_s.size == 15
    assert np.diff(run.onsets_s) == pytest.approx(run.protocol.cycle_s, abs=1e-3)
    assert run.onsets_s == pytest.approx(true_run.onsets_s + BOOT_S, abs=RIG_BRACKET_S)


def test_a_response_is_found_through_the_chain(found: ChainRun) -> None:
    there, through = found.true_run.estimate(), found.run.estimate()
    assert (there.verdict, through.verdict) == ("coupled", "coupled")
    assert through.effect_bpm == pytest.approx(there.effect_bpm, rel=0.25)
    assert through.ci90_bpm[0] <= found.run.truth_bpm <= through.ci90_bpm[1]


def test_the_true_run_is_that_of_the_other_backgrounds(found: ChainRun) -> None:
    same = make_run("sim", "dash", DIP_BPM, CALM_SEED, [])
    np.testing.assert_array_equal(found.true_run.beats_s, same.beats_s)
    np.testing.assert_array_equal(found.true_run.onsets_s, same.onsets_s)
    assert found.run.response == same.response


def test_beats_without_a_partner_are_counted() -> None:
    true_s = np.arange(1.0, 9.0)
    found_s = np.sort(np.append(np.delete(true_s, 3) + 0.09, 6.5))
    assert unmatched_n(true_s, found_s) == 1
    assert unmatched_n(found_s, true_s) == 1
    assert unmatched_n(true_s, true_s + 0.11) == true_s.size
