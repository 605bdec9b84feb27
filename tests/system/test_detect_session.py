"""``hbc detect SESSION``: the recorded samples, blanked by the recorded triggers, give the beats of the box again."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.io.wfdb_record import quiet_wfdb
from hbc_host.record import record
from hbc_host.redetect import beats_that_differ, blanked_of, redetect
from hbc_host.session import Session, load_session
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport

DURATION_S = 60.0
HELLO_S = 600.0  # virtual: the rig runs far ahead of the reader


@pytest.fixture(scope="module")
def session(labels: Callable[[str], SessionMeta], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Session]:
    folder = tmp_path_factory.mktemp("detect") / "s"
    with rig(Scenario.short(31, DURATION_S, protocol="itbs", rest_s=10.0)) as box:
        record(SerialTransport(box.port), folder, meta=labels(box.port), stop=lambda: box.finished,
               clock=lambda: box.bridge.virtual_s, hello_timeout_s=HELLO_S)  # fmt: skip
    return folder, load_session(folder)


@pytest.fixture(scope="module")
def detected(hbc: str, session: tuple[Path, Session]) -> tuple[dict[str, Any], str, Path]:
    folder = session[0]
    out = folder.parent
    command = [hbc, "detect", str(folder), "--csv", str(out / "beats.csv"), "--atr", str(out / "beats"),
               "--picture", str(out / "beats.html"), "--json", str(out / "beats.json")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "beats.json").read_text("utf-8")), " ".join(done.stdout.split()), out


def test_the_beats_are_those_of_the_box_to_the_microsecond(
    session: tuple[Path, Session], detected: tuple[dict[str, Any], str, Path]
) -> None:
    recorded, (document, said, _) = session[1], detected
    again_us, box_us = redetect(recorded)["peak_us"], np.sort(recorded.beats_us)
    assert box_us.size > 50
    found_us = np.array(document["beats_s"]) * 1e6
    # Beats still waiting in the detector when the recording ended are the only ones that the box did not report.
    assert box_us.size <= found_us.size <= box_us.size + 1
    assert np.abs(found_us[: box_us.size] - box_us).max() < 1.5
    assert np.array_equal(np.sort(again_us), box_us)
    assert f"beats of the box {box_us.size}, of which {box_us.size} at the same microsecond" in said


def test_what_the_box_blanked_is_blanked(
    session: tuple[Path, Session], detected: tuple[dict[str, Any], str, Path]
) -> None:
    recorded, (document, said, _) = session[1], detected
    assert recorded.edges_tick.size > 50
    assert document["triggers_n"] == recorded.edges_tick.size
    assert document["blanked_share"] == pytest.approx(float(blanked_of(recorded).mean()))
    assert f"around {recorded.edges_tick.size} triggers" in said


def test_the_files_agree_with_each_other_and_with_the_clock_of_the_session(
    session: tuple[Path, Session], detected: tuple[dict[str, Any], str, Path]
) -> None:
    recorded, (document, _, out) = session[1], detected
    rows = list(csv.DictReader((out / "beats.csv").read_text("utf-8").splitlines()))
    assert [float(row["time_s"]) for row in rows] == pytest.approx(document["beats_s"], abs=1e-6)
    with quiet_wfdb() as wfdb:
        marks = wfdb.rdann(str(out / "beats"), "atr")
    assert marks.fs == recorded.hello.rate_hz
    first_s = recorded.ecg_us[0] * 1e-6
    assert marks.sample / marks.fs + first_s == pytest.approx(document["beats_s"], abs=0.002)
    page = (out / "beats.html").read_text("utf-8")
    assert "blanked" in page
    assert "trigger" in page


def test_replay_verify_detects_the_beats_again(hbc: str, session: tuple[Path, Session]) -> None:
    folder, recorded = session
    done = subprocess.run([hbc, "replay", str(folder), "--verify"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "beats detected again from its samples: all the same" in done.stdout
    other = recorded.ecg_lsb.copy()
    other[np.searchsorted(recorded.ecg_us, recorded.beats_us[20])] += 40
    assert beats_that_differ(replace(recorded, ecg_lsb=other)) >= 1
    later = replace(recorded, ecg_idx=recorded.ecg_idx + 25)
    assert beats_that_differ(later) is None  # the box had seen something before
