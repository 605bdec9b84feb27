"""``hbc detect`` from the command line: the table, the files it writes, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.cli import app
from hbc_host.io.sniff import EVENTS, sniff
from hbc_host.io.wfdb_record import quiet_wfdb
from typer.testing import CliRunner

RATE_HZ = 250
FIRST_S, RR_S = 0.4, 0.8


def run(*words: object) -> Any:
    result = CliRunner().invoke(app, ["detect", *(str(word) for word in words)])
    assert result.exit_code == 0, result.output
    return result


def fails(*words: object) -> str:
    result: Any = CliRunner().invoke(app, ["detect", *(str(word) for word in words)])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def an_ecg_mv(duration_s: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    phase_s = np.remainder(np.arange(round(duration_s * RATE_HZ)) / RATE_HZ, RR_S) - FIRST_S
    return np.asarray(np.exp(-((phase_s / 0.012) ** 2)) + 0.15 * np.exp(-(((phase_s - 0.25) / 0.05) ** 2)))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """30 s at 75 bpm, microvolts, a value a line: 37 beats."""
    np.savetxt(tmp_path / "ecg.txt", 1000 * an_ecg_mv(30.0), fmt="%.1f")
    return tmp_path / "ecg.txt"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A WFDB record of the same, whose annotator marked every beat 12 ms early, one beat too many, and missed one."""
    marks = [round((FIRST_S + n * RR_S - 0.012) * RATE_HZ) for n in range(37) if n != 20]
    sample = np.sort(np.array([*marks, round(8.8 * RATE_HZ)]))
    (tmp_path / "data").mkdir()
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "rec", fs=RATE_HZ, units=["mV"], sig_name=["MLII"], p_signal=an_ecg_mv(30.0)[:, None], fmt=["16"],
            write_dir=str(tmp_path / "data"),
        )  # fmt: skip
        wfdb.wrann("rec", "atr", sample, ["N"] * sample.size, write_dir=str(tmp_path / "data"))
    return tmp_path / "data" / "rec"


def test_the_table_says_what_was_found(text: Path) -> None:
    lines = " | ".join(" ".join(line.split()) for line in run(text, "--rate-hz", RATE_HZ).stdout.splitlines())
    assert "beats 37 in 30.0 s at 250 Hz" in lines
    assert "mean heart rate 75.0 bpm" in lines
    assert "low quality 0 beats (0.0 %) are below 128 of 255" in lines
    assert "R wave upward in 100.0 % of the beats" in lines
    assert "signal good 30 s (100.0 %)" in lines
    assert "annotat" not in lines


def test_a_record_with_annotations_is_compared_with_them(record: Path) -> None:
    document = json.loads(run(record, "--json", "-").stdout)
    assert document["annotations"]["marked_n"] == 37
    assert document["annotations"]["matched_n"] == 36
    assert document["annotations"]["extra_n"] == 1
    assert document["annotations"]["offset_ms"] == pytest.approx(12.0, abs=2.5)
    assert "36 of 37 annotated beats found, 1 extra" in " ".join(run(record).stdout.split())


def test_csv_has_a_beat_a_line_and_analyze_takes_it_for_beats(text: Path, tmp_path: Path) -> None:
    target = tmp_path / "rr.csv"
    run(text, "--rate-hz", RATE_HZ, "--csv", target)
    rows = list(csv.DictReader(target.read_text("utf-8").splitlines()))
    assert list(rows[0]) == ["time_s", "rr_ms", "quality", "polarity"]
    assert [float(row["time_s"]) for row in rows] == pytest.approx(FIRST_S + RR_S * np.arange(37), abs=0.002)
    assert rows[0]["rr_ms"] == ""
    assert [float(row["rr_ms"]) for row in rows[1:]] == pytest.approx([800.0] * 36, abs=2.0)
    assert all(0 <= int(row["quality"]) <= 255 and row["polarity"] == "+1" for row in rows)
    assert sniff(target) == EVENTS


def test_annotations_stand_at_the_beats_and_never_replace_those_of_the_record(record: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in record.parent.iterdir()}
    result = run(record, "--atr", tmp_path / "mine", "--json", "-")
    with quiet_wfdb() as wfdb:
        found = wfdb.rdann(str(tmp_path / "mine"), "atr")
    beats_s = json.loads(result.stdout)["beats_s"]
    assert found.sample.tolist() == np.rint(np.array(beats_s) * RATE_HZ).tolist()
    assert found.fs == RATE_HZ
    refused = (record, record.with_suffix(".atr"), record.parent / "." / "rec.atr", record.with_suffix(".dat"))
    assert all("overwrite" in fails(record, "--atr", target) or target.suffix == ".dat" for target in refused)
    assert "no annotation file" in fails(record, "--atr", record.with_suffix(".dat"))
    assert "overwrite" in fails(record, "--csv", record.with_suffix(".dat"))
    assert {path.name: path.read_bytes() for path in record.parent.iterdir()} == before


def test_a_record_with_a_dot_in_its_name_is_as_safe(record: Path) -> None:
    for suffix in (".dat", ".atr"):
        record.with_suffix(suffix).rename(record.parent / f"rec.1{suffix}")
    header = record.with_suffix(".hea").read_text().replace("rec.dat", "rec.1.dat").replace("rec ", "rec.1 ", 1)
    (record.parent / "rec.1.hea").write_text(header)
    record.with_suffix(".hea").unlink()
    assert "overwrite" in fails(record.parent / "rec.1", "--csv", record.parent / "rec.1.atr")


def test_two_options_never_share_a_file(text: Path, tmp_path: Path) -> None:
    shared = tmp_path / "beats.atr"
    assert "is also what --csv writes" in fails(
        text, "--rate-hz", RATE_HZ, "--csv", shared, "--atr", tmp_path / "beats"
    )
    assert "part of a recording" in fails(text, "--rate-hz", RATE_HZ, "--csv", tmp_path / "wire.hbclog")
    assert not shared.exists()


def test_the_picture_is_drawn_and_its_part_belongs_to_it(text: Path, tmp_path: Path) -> None:
    target = tmp_path / "beats.png"
    result = run(text, "--rate-hz", RATE_HZ, "--picture", target, "--from-s", 5, "--to-s", 12.5)
    assert f"picture: {target}" in result.stdout
    assert target.stat().st_size > 10_000
    assert "add --picture" in fails(text, "--rate-hz", RATE_HZ, "--from-s", 5)
    assert "(0.0 to 30.0 s)" in fails(text, "--rate-hz", RATE_HZ, "--picture", target, "--from-s", 30)
    assert "end it in .png" in fails(text, "--rate-hz", RATE_HZ, "--picture", tmp_path / "beats.bmp")


def test_the_page_names_the_command_that_makes_it_again(text: Path, tmp_path: Path) -> None:
    target = tmp_path / "beats.html"
    run(text, "--rate-hz", RATE_HZ, "--picture", target, "--to-s", 12.5)
    assert f"hbc detect {text} --rate-hz 250 --picture {target} --to-s 12.5" in target.read_text("utf-8")


def test_a_flat_signal_is_an_error_that_says_flat_and_still_draws_why(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "flat.txt", np.zeros(30 * RATE_HZ))
    target = tmp_path / "why.png"
    error = fails(tmp_path / "flat.txt", "--rate-hz", RATE_HZ, "--picture", target, "--csv", tmp_path / "x.csv")
    assert "0 beats in 30 s, at least 2 are needed" in error
    assert "flat 30 s (100.0 %)" in error
    assert target.exists()
    assert not (tmp_path / "x.csv").exists()


def test_a_needless_rate_is_said_to_be_ignored(record: Path) -> None:
    assert "--rate-hz 130 was ignored: the recording says 250 Hz" in run(record, "--rate-hz", 130).stdout
    assert "ignored" not in run(record).stdout


def test_a_rate_that_the_detector_cannot_use_is_no_fault_of_ours(text: Path) -> None:
    assert "60 Hz is outside 100..1000 Hz" in fails(text, "--rate-hz", 60)


def test_json_has_every_number_and_says_how_to_get_it_again(record: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    run(record, "--json", target)
    document = json.loads(target.read_text("utf-8"))
    assert document["format"] == "hbc-beats-1"
    assert document["command"] == f"hbc detect {record}"
    assert document["beats_n"] == len(document["beats_s"]) == len(document["quality"]) == len(document["polarity"])
    assert document["duration_s"] == 30.0
    assert sum(document["signal_s"].values()) == pytest.approx(30.0)
    assert [span["state"] for span in document["signal_spans"]] == ["good"]
    assert document["low_quality_share"] == document["blanked_share"] == document["triggers_n"] == 0
    assert document["notes"] == []


def test_missing_samples_are_noted(tmp_path: Path) -> None:
    ecg_mv = an_ecg_mv(30.0)
    ecg_mv[1000:1500] = np.nan
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "gap", fs=RATE_HZ, units=["mV"], sig_name=["ECG"], p_signal=ecg_mv[:, None], fmt=["16"],
            write_dir=str(tmp_path),
        )  # fmt: skip
    result = run(tmp_path / "gap", "--picture", tmp_path / "gap.png")
    assert "note: 2.0 s hold no valid sample" in result.stdout


def test_damaged_annotations_are_named(record: Path) -> None:
    record.with_suffix(".atr").write_bytes(b"\xff\xec" * 3)
    assert "rec.atr: annotations cannot be read" in fails(record)


@pytest.mark.parametrize(("name", "found_share"), [("mitdb/208", 0.99), ("nstdb/118e12", 0.98)])
def test_records_at_hand_agree_with_their_annotations(shared_data: Path, name: str, found_share: float) -> None:
    document = json.loads(run(shared_data / name, "--json", "-").stdout)
    agreement = document["annotations"]
    assert agreement["matched_n"] >= found_share * agreement["marked_n"]
    assert abs(agreement["offset_ms"]) < 20.0


def test_an_ecg_of_a_chest_strap_is_detected_and_drawn(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "ncg-sample").glob("*.txt"))
    result = run(files[0], "--rate-hz", 130, "--picture", tmp_path / "a.svg", "--json", "-")
    document = json.loads(result.stdout)
    assert 40.0 < document["mean_hr_bpm"] < 100.0
    assert document["signal_s"]["good"] > 0.9 * document["duration_s"]
