"""``hbc cohort`` on a small simulated cohort: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hbc_hil.cohort import CohortPlan, draw_cohort, population
from hbc_hil.cohort_beats import patient_recordings
from hbc_hil.cohort_files import write_cohort
from hbc_host.cli import app
from hbc_host.cohort.code_hash import reachable
from hbc_host.cohort.document import read_document, to_document
from hbc_host.cohort.estimates import estimate_recording
from hbc_host.cohort.fit import fit_cohort
from hbc_host.cohort.outcomes import Outcomes, PatientFacts, read_outcomes
from hbc_host.cohort.provenance import provenance_of
from hbc_host.cohort.recordings import find_recordings
from hbc_host.cohort.report import render
from hbc_host.cohort.run_table import RunStore
from hbc_host.cohort.scatter import ClusterError, check_address, estimate_cohort
from hbc_host.errors import InputError
from typer.testing import CliRunner

PLAN = CohortPlan(
    patients_n=22, sites_n=1, clinics_n=2, strap_clinics_n=1, rest_s=60.0, dropout_share=0.05, skipped_share=0.0, seed=5
)


def hbc(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hbc_host.cli", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated cohort and its fit beside it."""
    home = tmp_path_factory.mktemp("cohort") / "c"
    write_cohort(PLAN, home)
    done = hbc("cohort", "fit", home / "recordings", "--outcomes", home / "outcomes.csv", "--out", home / "fit")
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def copy(cohort: Path, tmp_path: Path) -> Path:
    """A copy to spoil, without the fit."""
    home = tmp_path / "copy"
    shutil.copytree(cohort, home, ignore=shutil.ignore_patterns("fit"))
    return home


def document_of(cohort: Path) -> dict[str, Any]:
    return read_document(cohort / "fit" / "cohort.json")


def test_the_fit_accounts_for_every_patient_and_every_run(cohort: Path) -> None:
    document = document_of(cohort)
    patients = draw_cohort(PLAN)
    flow = [step["patients_n"] for step in document["missing"]["flow"]]
    assert flow[0] == len(patients) == 22
    assert flow == sorted(flow, reverse=True)
    assert flow[-1] == document["prediction"]["patients_n"]
    assert document["runs"]["n"] == sum(sum(one.measured) for one in patients)
    assert sum(document["runs"]["verdicts"].values()) == document["runs"]["n"]
    improved = sum(one.improved is True for one in patients)
    assert document["prediction"]["improved_n"] <= improved


def test_a_second_fit_estimates_nothing_and_finds_the_same(cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort / "fit" / "runs", tmp_path / "runs")
    done = hbc("cohort", "fit", cohort / "recordings", "--outcomes", cohort / "outcomes.csv", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "all known from an earlier fit" in done.stdout
    first, second = document_of(cohort), read_document(tmp_path / "cohort.json")
    for document in (first, second):
        document["provenance"].pop("created")
        document["provenance"].pop("command")
    assert second == first


def test_what_holds_patients_is_for_this_user_only(cohort: Path) -> None:
    for path in (cohort / "fit").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_report_stands_alone_and_says_what_it_is(cohort: Path) -> None:
    page = (cohort / "fit" / "cohort.html").read_text("utf-8")
    assert "research use; not a medical device" in page
    assert "Laid down before" in page
    assert "nothing here shows that choosing a site or an intensity by coupling improves treatment" in page
    assert not re.search(r"(src|href)=[\"'](?!#)", page)
    assert "<script" not in page
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).lower().replace("dominant", "")


def test_the_report_can_be_drawn_again_from_the_json_alone(cohort: Path, tmp_path: Path) -> None:
    target = tmp_path / "again.html"
    assert CliRunner().invoke(app, ["cohort", "report", str(cohort / "fit"), "--out", str(target)]).exit_code == 0
    assert target.read_text("utf-8") == (cohort / "fit" / "cohort.html").read_text("utf-8")


def test_the_verdict_is_about_coupling_only_where_it_is_shown(cohort: Path) -> None:
    document = document_of(cohort)
    document["prediction"]["per_sd"] |= {"ratio": 2.5, "low": 1.3, "high": 4.6, "p_value": 0.004}
    assert "improved early more often" in render(document)
    document["prediction"]["per_sd"] |= {"ratio": 0.4, "low": 0.2, "high": 0.8, "p_value": 0.004}
    assert "improved early less often" in render(document)
    document["prediction"]["per_sd"]["p_value"] = 0.2
    assert "is not shown" in render(document)
    document["prediction"] = None
    assert "cannot be answered" in render(document)


def test_no_study_is_planned_from_a_ratio_that_is_not_determined(cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort / "fit" / "runs", tmp_path / "runs")
    refs = find_recordings(cohort / "recordings")
    table, _ = estimate_cohort(refs, RunStore(tmp_path / "runs"))
    known = {one["patient"]: one["measured_bpm"] for one in document_of(cohort)["patients"]}
    middle = statistics.median(value for value in known.values() if value is not None)
    facts = tuple(PatientFacts(name, None if value is None else value > middle) for name, value in known.items())
    found = fit_cohort(table, Outcomes(facts, (), 0.2), seed=1, adjust_for=())
    assert found.study_sizes
    made_by = provenance_of("", refs, table, cohort / "outcomes.csv", seed=1, scheduler=None)
    separated = to_document(found, made_by)
    assert separated["prediction"]["per_sd"]["undetermined"] == "above"
    assert separated["study_sizes"] == []
    assert "no number of patients can be planned from it" in render(separated)
    assert document_of(cohort)["study_sizes"]


def test_too_many_coefficients_for_the_patients_are_said(cohort: Path, tmp_path: Path) -> None:
    said = "few patients for so many covariates"
    assert any(note.startswith(said) for note in document_of(cohort)["notes"])
    shutil.copytree(cohort / "fit" / "runs", tmp_path / "runs")
    table, _ = estimate_cohort(find_recordings(cohort / "recordings"), RunStore(tmp_path / "runs"))
    plain = fit_cohort(table, read_outcomes(cohort / "outcomes.csv"), seed=1, adjust_for=())
    assert plain.prediction is not None
    assert not any(note.startswith(said) for note in plain.notes)


def test_a_name_that_looks_like_markup_stays_text(cohort: Path) -> None:
    document = document_of(cohort)
    document["patients"][0]["patient"] = "<b>P</b>"
    assert "&lt;b&gt;P&lt;/b&gt;" in render(document)


def test_check_names_each_thing_that_is_wrong_and_why(copy: Path) -> None:
    recordings = sorted(path.parent for path in (copy / "recordings").rglob("recording.json"))
    facts = recordings[0] / "recording.json"
    facts.write_text("{", "utf-8")
    beats = recordings[1] / "beats.csv"
    beats.write_text("\n".join(beats.read_text("utf-8").splitlines()[:6]) + "\n", "utf-8")
    short = json.loads((recordings[1] / "recording.json").read_text("utf-8"))
    short["beats"]["n"] = 5
    (recordings[1] / "recording.json").write_text(json.dumps(short), "utf-8")
    shutil.copytree(recordings[2], copy / "recordings" / "P-999" / "session")
    said = json.loads((recordings[3] / "recording.json").read_text("utf-8"))
    said["triggers"] = said["declared_start"] = None
    (recordings[3] / "recording.json").write_text(json.dumps(said), "utf-8")
    rows = (copy / "outcomes.csv").read_text(
        "utf-8"
    ) + "P-500,clinic-1,44,f,L,yes,50,1\nP-501,clinic-1,444,f,L,yes,50,1\n"
    (copy / "outcomes.csv").write_text(rows, "utf-8")
    target = copy / "audit.json"
    done = hbc("cohort", "check", copy / "recordings", "--outcomes", copy / "outcomes.csv", "--json", target)
    assert done.returncode == 0, done.stderr
    audit = json.loads(target.read_text("utf-8"))
    text = "\n".join(f"{one['level']} {one['about']}: {one['text']}" for one in audit["findings"])
    for part in (
        "cannot be read",
        "5 beats",
        "P-999/session: is a copy of",
        "no trigger and no declared start",
        "P-999: has recordings and no row",
        "P-500: has a row in the table of outcomes and no recording",
        "age of 444 is outside",
    ):
        assert part in text, part
    assert audit["loaded_n"] == audit["recordings_n"] - 3


def test_a_recording_that_cannot_be_used_is_a_row_with_its_reason(copy: Path) -> None:
    refs = find_recordings(copy / "recordings")
    (refs[0].folder / "beats.csv").write_text("time_s,rr_ms,quality,polarity\n1.0,,100,1\n", "utf-8")
    (row,) = estimate_recording(refs[0], None, "key")
    assert "recording.json says" in row.error
    assert row.patient == refs[0].patient


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(cohort: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    first = patient_recordings(PLAN, draw_cohort(PLAN)[0])[0]
    again = patient_recordings(PLAN, draw_cohort(PLAN)[0])[0]
    other_plan = replace(PLAN, seed=6)
    other = patient_recordings(other_plan, draw_cohort(other_plan)[0])[0]
    assert again.beats_s.tobytes() == first.beats_s.tobytes()
    assert other.beats_s.tobytes() != first.beats_s.tobytes()
    write_cohort(replace(PLAN, patients_n=1), tmp_path / "one")
    one = next((tmp_path / "one").rglob("beats.csv"))
    write_cohort(replace(PLAN, patients_n=1), tmp_path / "two")
    assert next((tmp_path / "two").rglob("beats.csv")).read_bytes() == one.read_bytes()


def test_a_simulated_cohort_has_the_relation_it_claims() -> None:
    import math

    import numpy as np
    from hbc_host.cohort.firth import fit_firth

    plan = CohortPlan(patients_n=6000, dropout_share=0.0, odds_ratio=2.2)
    patients = draw_cohort(plan)
    mean_bpm, sd_bpm, _ = population(plan)
    columns = [
        [1.0, (one.falls_bpm.mean() - mean_bpm) / sd_bpm, one.age, one.sex == "f", one.side == "R", one.medication]
        for one in patients
    ]
    design = np.array(columns, dtype=np.float64)
    design[:, 2] = (design[:, 2] - 44.0) / 10.0
    outcome = np.array([one.improved is True for one in patients], dtype=np.float64)
    assert outcome.mean() == pytest.approx(0.5, abs=0.02)
    assert fit_firth(design, outcome).coefficients[1] == pytest.approx(math.log(2.2), abs=0.1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("cohort", "fit", "nowhere", "--outcomes", "{home}/outcomes.csv"), "no such folder"),
        (("cohort", "fit", "{home}/recordings", "--outcomes", "{home}/nothing.csv"), "cannot be read"),
        (
            ("cohort", "fit", "{home}/recordings", "--outcomes", "{home}/outcomes.csv", "--out", "{home}/recordings/x"),
            "lies within the recordings",
        ),
        (("cohort", "report", "{home}/outcomes.csv"), "is not JSON"),
        (("cohort", "simulate", "{home}"), "is not empty"),
        (("cohort", "simulate", "{home}/new", "--odds-ratio", "99"), "outside 0.05 to 20"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(cohort: Path, words: tuple[str, ...], reason: str) -> None:
    done = CliRunner().invoke(app, [word.format(home=cohort) for word in words])
    assert done.exit_code == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_scheduler_elsewhere_without_encryption_is_refused() -> None:
    check_address("tcp://127.0.0.1:8786")
    check_address("tls://cluster.example:8786")
    with pytest.raises(ClusterError, match="without encryption"):
        check_address("tcp://10.0.0.5:8786")
    with pytest.raises(ClusterError, match="no scheduler"):
        check_address("inproc://here")


def test_a_store_keeps_rows_of_this_code_only_and_survives_a_torn_write(cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort / "fit" / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "part-00077.tmp").write_bytes(b"half a file")
    store = RunStore(tmp_path / "runs")
    refs = find_recordings(cohort / "recordings")
    table, new_n = estimate_cohort(refs, store)
    assert new_n == 0
    assert table.num_rows == document_of(cohort)["runs"]["n"]
    assert store.table(["another key"]).num_rows == 0
    assert table["recording"].to_pylist() == sorted(table["recording"].to_pylist())


def test_the_hash_of_the_code_covers_what_an_estimate_uses_and_nothing_that_only_shows_it() -> None:
    names = set(reachable())
    assert {"hbc_host.coupling", "hbc_host.threshold", "hbc_host.session", "hbc_host.io.import_folder"} <= names
    assert {"hbc_wire.messages", "hbc_host.steps", "hbc_host.cohort.recordings"} <= names
    assert not any(name.startswith(("hbc_host.cli", "hbc_host.app", "hbc_host.cohort.report")) for name in names)


def test_no_recordings_below_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 recordings below"):
        find_recordings(tmp_path)


def test_the_patient_is_the_pseudonym_of_the_visit_before_the_name_of_the_folder(copy: Path) -> None:
    first = find_recordings(copy / "recordings")[0]
    (first.folder / "visit.json").write_text(json.dumps({"pseudonym": "Q-7"}), "utf-8")
    assert find_recordings(copy / "recordings")[0].patient == "Q-7"
    assert os.sep not in first.patient
