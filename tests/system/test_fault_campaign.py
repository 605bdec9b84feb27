"""A few recordings of the fault campaign (`make soak` runs a thousand), so that it is known to work and to judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from campaign import one_session
from campaign_truth import Outcome, judge
from campaign_world import clean_beats_s, run, scenario_of
from hbc_hil.rig import rig
from hbc_host.session import load_session
from hbc_host.transport import SerialTransport

SEED = 3
FAULTS = [
    "chunks dropped and repeated",
    "unplugged, replugged elsewhere",
    "disk turns read-only, continued",
    "computer sleeps 3..20 s",
    "another device (noise)",
    "hostile messages",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_lost_is_what_was_counted(fault: str, tmp_path: Path) -> None:
    outcome = one_session(fault, SEED, tmp_path / "s", np.empty(0))
    assert outcome == replace(outcome, loaded=True, silent_n=0, wrong_n=0, problem="")


def test_the_campaign_sees_a_silent_loss_and_an_invented_event(tmp_path: Path) -> None:
    scenario = scenario_of(SEED)
    reference_s = clean_beats_s(scenario, tmp_path / "clean")
    with rig(scenario) as box:
        run(box, SerialTransport(box.port), tmp_path / "s", fetch=False)
    session = load_session(tmp_path / "s")
    good = judge(Outcome("none", SEED), box, session, reference_s)
    assert (good.silent_n, good.wrong_n) == (0, 0)
    middle = len(session.edge_n) // 2
    rest = np.arange(len(session.edge_n)) != middle
    hidden = replace(session, edges_tick=session.edges_tick[rest], edge_n=session.edge_n[rest])
    assert judge(good, box, hidden, reference_s).silent_n == 2, "against the truth, and by its number"
    invented = session.edges_tick.copy()
    invented[middle] += 80_000  # a millisecond
    wrong = judge(good, box, replace(session, edges_tick=invented), reference_s)
    assert (wrong.wrong_n, wrong.silent_n) == (1, 1)
    beats = session.beats_us.copy()
    beats[9] += 200_000
    assert judge(good, box, replace(session, beats_us=beats), reference_s).wrong_n == 1
