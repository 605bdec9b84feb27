"""What a person or a program gets from the ``hbc`` command when all goes well."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host import __version__, runs
from hbc_host.cli import app
from hbc_host.report import words
from hbc_host.trains import PROTOCOLS, Train, parse_protocol
from typer.testing import CliRunner

COMMANDS = ("demo", "sim", "record", "replay", "analyze", "detect", "report", "doctor", "version")


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def in_process(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-m", "hbc_host.cli", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def beats_and_triggers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A heart near 66 bpm that slows by 6 bpm with each of 15 trains, and the edges of those trains."""
    folder = tmp_path_factory.mktemp("events")
    onsets_s = 196.0 + 16.0 * np.arange(15)
    rng = np.random.default_rng(4711)
    beats_s, now_s = [], 0.5
    while now_s < 440.0:
        beats_s.append(now_s)
        since_s = now_s - onsets_s
        fall = 6.0 * np.sum(np.where((since_s > 1) & (since_s < 6), 1.0, np.exp(-(since_s - 6) / 2.5) * (since_s >= 6)))
        now_s += 60.0 / (66.0 - fall + 1.2 * np.sin(1.6 * now_s) + rng.normal(0, 0.8))
    edges_s = (onsets_s[:, None] + 0.1 * np.arange(50)).ravel()
    (folder / "beats.csv").write_text("beat_s\n" + "\n".join(f"{t:.4f}" for t in beats_s))
    (folder / "triggers.csv").write_text("edge_s\n" + "\n".join(f"{t:.4f}" for t in edges_s))
    return folder / "beats.csv", folder / "triggers.csv"


@pytest.fixture(scope="module")
def ecg_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of a plain ECG in microvolts, 250 Hz, 75 bpm: 25 beats."""
    time_s = np.arange(5000) / 250.0
    phase_s = np.remainder(time_s, 0.8) - 0.4
    ecg_uv = 1000 * np.exp(-((phase_s / 0.012) ** 2)) + 150 * np.exp(-(((phase_s - 0.25) / 0.05) ** 2))
    path = tmp_path_factory.mktemp("ecg") / "ecg.txt"
    np.savetxt(path, ecg_uv, fmt="%.1f")
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: hbc {name}" in " ".join(result.output.split())


def test_hbc_alone_shows_the_help_and_is_no_error() -> None:
    result = run()
    assert result.exit_code == 0
    assert all(name in result.output for name in COMMANDS)


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_is_one_line(words: list[str]) -> None:
    assert run(*words).stdout == f"hbc {__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, hbc_host.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    heavy = {"numpy", "scipy", "matplotlib", "jinja2", "serial", "wfdb", "hbc_native", "hbc_wire", "hbc_hil"}
    assert heavy & set(done.stdout.split()) == set()


def test_analyze_finds_the_slowing_and_writes_report_and_json(
    beats_and_triggers: tuple[Path, Path], tmp_path: Path
) -> None:
    report, target = tmp_path / "r.html", tmp_path / "r.json"
    result = run("analyze", *beats_and_triggers, "--protocol", "dash", "--report", report, "--json", target)
    assert result.exit_code == 0, result.output
    assert "coupled" in result.stdout
    assert str(report) in result.stdout
    document = json.loads(target.read_text(encoding="utf-8"))
    site = document["sites"][0]
    assert document["format"] == "hbc-analysis-1"
    assert {"site", "effect_ms", "effect_bpm", "ci95_ms", "ci95_bpm", "latency_s", "p_value", "verdict"} <= set(site)
    assert {"reasons", "beats_n", "excluded_share", "p_holm", "response", "steps", "mean_hr_bpm"} <= set(site)
    assert site["verdict"] == "coupled"
    assert 3.0 < site["effect_bpm"] < 8.0
    assert "Coupled at" in report.read_text(encoding="utf-8")


def test_json_on_standard_output_is_nothing_but_json(beats_and_triggers: tuple[Path, Path]) -> None:
    result = run("analyze", *beats_and_triggers, "--protocol", "5/11", "--json", "-")
    assert json.loads(result.stdout)["protocol"]["train_s"] == 5.0
    assert "verdict" in result.stderr


def test_a_report_made_from_json_names_the_command_that_computed_it(
    beats_and_triggers: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "again.json"
    assert run("analyze", *beats_and_triggers, "--protocol", "dash", "--json", target).exit_code == 0
    result = run("report", target)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert "Coupled at" in text
    beats, triggers = beats_and_triggers
    assert f"<pre>hbc analyze {beats} {triggers} --protocol dash</pre>" in text
    assert "drawn again" in text
    assert "saved result again.json" in text
    assert "hbc report" not in text


def test_a_wrong_protocol_is_said_first(beats_and_triggers: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    for protocol, doubted in (("itbs", True), ("dash", False)):
        assert run("analyze", *beats_and_triggers, "--protocol", protocol, "--json", target).exit_code == 0
        notes = json.loads(target.read_text(encoding="utf-8"))["notes"]
        said = "trains last 5.0 s and come every 16.0 s, protocol itbs says 2 s every 10 s: wrong --protocol?"
        assert (said in notes[:1]) is doubted


def test_the_length_of_recorded_trains_and_the_label_of_a_session_doubt_the_protocol_too() -> None:
    onsets_s = np.array([0.0, 16.0, 32.0])
    trains = [Train(float(t), float(t) + 4.9, 50) for t in onsets_s]
    length_s = runs.median_train_s(trains)
    assert length_s == pytest.approx(5.0)
    recorded = runs.RunInput("A", onsets_s, onsets_s, 2.0, 0.0, 48.0, measured_train_s=length_s)
    assert runs.protocol_notes([recorded], PROTOCOLS["dash"]) == []
    assert runs.protocol_notes([recorded], PROTOCOLS["itbs"]) == [
        "trains last 5.0 s and come every 16.0 s, protocol itbs says 2 s every 10 s: wrong --protocol?"
    ]
    assert runs.protocol_notes([recorded], parse_protocol("2/14"))
    assert runs.label_notes("dash", PROTOCOLS["itbs"]) == [
        "recorded as protocol dash, analysed as itbs: wrong --protocol?"
    ]
    assert runs.label_notes("", PROTOCOLS["dash"]) == runs.label_notes("5/11", PROTOCOLS["dash"]) == []


def test_a_p_value_reads_alike_in_the_table_and_in_the_notes() -> None:
    assert words.p_value(0.845) == f"{0.845:.3f}" == "0.845"


def test_several_reports_go_into_a_folder(beats_and_triggers: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert run("analyze", *beats_and_triggers, "--protocol", "dash", "--json", tmp_path / name).exit_code == 0
    (tmp_path / "out").mkdir()
    assert run("report", tmp_path / "a.json", tmp_path / "b.json", "--out", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.html", "b.html"]
    refused = run("report", tmp_path / "a.json", tmp_path / "b.json", "--out", tmp_path / "one.html")
    assert refused.exit_code == 2
    assert "give an existing folder" in refused.stderr


def test_detect_counts_beats_and_writes_their_times(ecg_text: Path, tmp_path: Path) -> None:
    target = tmp_path / "beats.csv"
    result = run("detect", ecg_text, "--rate-hz", 250, "--csv", target, "--json", "-")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["beats_n"] == len(document["beats_s"])
    assert abs(document["beats_n"] - 25) <= 1
    assert document["mean_hr_bpm"] == pytest.approx(75.0, abs=0.5)
    with target.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time_s", "rr_ms", "quality", "polarity"]
    assert [float(row[0]) for row in rows[1:]] == pytest.approx(document["beats_s"], abs=1e-5)


def test_doctor_tells_what_it_looked_at() -> None:
    result = run("doctor", "--json", "-")
    names = [check["name"] for check in json.loads(result.stdout)["checks"]]
    assert "Python" in names
    assert result.exit_code in (0, 2)


def test_the_published_recordings_give_a_result_and_a_report(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "ncg-sample").glob("*.txt"))
    report = tmp_path / "r.html"
    result = run(
        "analyze", *files, "--protocol", "dash", "--rate-hz", 130, "--report", report, "--json", tmp_path / "r.json"
    )
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "r.json").read_text())["sites"]) == 4
    assert report.stat().st_size > 50_000


def test_the_module_runs_as_a_program() -> None:
    done = in_process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"hbc {__version__}\n", "")
