"""``hbc import``: what it writes is private, whole, honest about its origin, and read back to the same numbers."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hbc_host.analysis import analyze_files
from hbc_host.cli import app
from hbc_host.errors import HbcError, InputError
from hbc_host.imports import Declared, candidates, import_all, import_one, with_beats
from hbc_host.io.import_folder import INFO_NAME, read_import
from hbc_host.io.limits import SAMPLES_MAX_N
from hbc_host.io.recording import Labels, ReadOptions
from hbc_host.io.registry import identify, read_recording
from hbc_host.sources import recording_runs
from hbc_host.trains import PROTOCOLS
from support_import import (
    BROKEN,
    TRUTH,
    Broken,
    Truth,
    write_csv,
    write_edf,
    write_polar,
    write_rr,
    write_wfdb,
    write_xdf,
)
from typer.testing import CliRunner

LONG = Truth(rate_hz=200.0, duration_s=16.0 * 17, triggers_s=tuple(16.0 + 16.0 * n for n in range(15)))


def run(*words: object) -> tuple[int, str]:
    """Exit code and text of a command that shows errors as they are."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    text = str(done.exception) if isinstance(done.exception, HbcError) else ""
    return done.exit_code, done.output + text


def bring(path: Path, folder: Path, options: ReadOptions | None = None, declared: Declared | None = None) -> Path:
    import_one(path, folder, options or ReadOptions(), declared=declared, labels=Labels())
    return folder


def test_forty_broken_files_give_forty_reasons_and_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for broken in BROKEN:
        broken.make(folder / broken.name)
    assert len(BROKEN) == 40
    write_rr(folder / "good.txt")
    code, text = run("import", folder, "--out", tmp_path / "out", "--json", tmp_path / "result.json")
    assert code != 0
    assert "40 of 41 files were refused" in text
    files = json.loads((tmp_path / "result.json").read_text())["files"]
    reasons = {Path(one["path"]).name: one["refused"] for one in files if "refused" in one}
    assert len(reasons) == 40
    for broken in BROKEN:
        reason = reasons[broken.name]
        assert broken.words in reason
        assert 15 < len(reason) < 420
        assert "\n" not in reason
        assert "Traceback" not in reason
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["good"]  # nothing half done, nothing hidden


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_each_broken_file_is_refused_with_its_own_reason(tmp_path: Path, broken: Broken) -> None:
    path = tmp_path / broken.name
    broken.make(path)
    with pytest.raises(InputError) as caught:
        with_beats(read_recording(path, broken.options))
    assert broken.words in str(caught.value)


def test_an_import_is_read_back_to_the_same_numbers(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf")
    folder = bring(path, tmp_path / "out" / "a")
    ours, again = with_beats(read_recording(path)), read_import(folder)
    assert ours.ecg is not None
    assert again.ecg is not None
    assert np.array_equal(again.ecg.ecg_mv, ours.ecg.ecg_mv)
    for name in ("beats_s", "triggers_s"):
        assert np.array_equal(getattr(again, name), getattr(ours, name))
    arrays = {"ecg": None, "beats_s": None, "triggers_s": None}
    same = replace(again, **arrays, format="edf", notes=ours.notes)
    assert same == replace(ours, **arrays)
    assert identify(folder).key == "import"


def test_gaps_and_an_ecg_that_begins_late_survive_the_folder(tmp_path: Path) -> None:
    path = write_polar(tmp_path / "p.txt", lost=range(1300, 1373))
    again = read_import(bring(path, tmp_path / "p"))
    ours = read_recording(path)
    assert again.ecg is not None
    assert ours.ecg is not None
    assert again.gaps_s == ours.gaps_s
    assert again.ecg.gaps_s == ours.ecg.gaps_s
    words = gzip.decompress((tmp_path / "p" / "ecg.tsv.gz").read_bytes()).decode().split()
    assert words.count("n/a") == 73
    assert words[1299] != "n/a"
    rows = (tmp_path / "p" / "beats.csv").read_text().splitlines()[1:]
    assert sum(row.split(",")[1] == "" for row in rows) == 2  # the first beat, and the one after the gap


def test_the_folder_is_private_and_says_where_it_came_from(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv")
    folder = bring(path, tmp_path / "out" / "t")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    info = json.loads((folder / INFO_NAME).read_text())
    assert info["format"] == "hbc-import-1"
    assert info["source"]["name"] == "t.csv"
    assert info["source"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info["ecg"]["samples_n"] == TRUTH.ecg_mv.size
    assert info["triggers"] == {"file": "triggers.csv", "n": 150, "from": "column 'trigger'"}
    assert str(tmp_path) not in (folder / INFO_NAME).read_text()
    sidecar = json.loads((folder / "ecg.json").read_text())
    assert (sidecar["SamplingFrequency"], sidecar["StartTime"], sidecar["Columns"]) == (250.0, 0.0, ["cardiac"])


def test_a_wfdb_record_is_named_with_all_its_files(tmp_path: Path) -> None:
    folder = bring(write_wfdb(tmp_path), tmp_path / "out" / "rec")
    files = json.loads((folder / INFO_NAME).read_text())["source"]["files"]
    assert [one["name"] for one in files] == ["rec.dat", "rec.hea", "rec.tms"]


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    path = write_rr(tmp_path / "rr.txt")
    folder = bring(path, tmp_path / "out" / "rr")
    before = (folder / INFO_NAME).read_bytes()
    with pytest.raises(InputError, match="nothing is ever overwritten"):
        bring(path, folder)
    assert (folder / INFO_NAME).read_bytes() == before
    assert [one.name for one in folder.parent.iterdir()] == ["rr"]


def test_two_files_of_one_name_get_two_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_rr(tmp_path / "in" / "P 1.txt")
    write_rr(tmp_path / "in" / "P 1.csv")
    paths = candidates([tmp_path / "in"])
    outcomes = import_all(paths, tmp_path / "out", ReadOptions(), labels=Labels())
    assert sorted(outcome.folder.name for outcome in outcomes if outcome.folder) == ["P_1", "P_1-txt"]


def test_a_folder_stands_for_the_recordings_in_it_and_a_record_counts_once(tmp_path: Path) -> None:
    write_wfdb(tmp_path)
    write_rr(tmp_path / "rr.txt")
    (tmp_path / ".hidden").write_text("1")
    bring(tmp_path / "rr.txt", tmp_path / "done")
    assert [path.name for path in candidates([tmp_path])] == ["done", "rec.hea", "rr.txt"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        candidates([tmp_path / "none"])


def test_analysis_of_a_file_and_of_its_import_are_the_same_numbers(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "site.edf", LONG)
    folder = bring(path, tmp_path / "site")
    direct, imported = (analyze_files([one], protocol=PROTOCOLS["dash"]) for one in (path, folder))
    assert len(direct.sites) == 1
    assert direct.sites[0].coupling == imported.sites[0].coupling
    assert direct.sites[0].site == imported.sites[0].site == "site"
    assert any("15 triggers from annotations 'TMS'" in note for note in direct.notes)


def test_detect_takes_every_format_and_blanks_around_its_triggers(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf")
    code, text = run("detect", path, "--json", tmp_path / "beats.json")
    assert code == 0, text
    found = json.loads((tmp_path / "beats.json").read_text())
    assert found["triggers_n"] == 150
    assert found["blanked_share"] == pytest.approx(150 * 3 / TRUTH.ecg_mv.size, rel=0.05)
    assert np.abs(np.array(found["beats_s"]) - TRUTH.beats_s).max() < 0.004
    assert any("each trigger are blanked" in note for note in found["notes"])
    code, text = run("detect", write_rr(tmp_path / "rr.txt"))
    assert code != 0
    assert "81 beats and no ECG; hbc analyze uses those beats" in text


def test_a_declared_start_is_kept_with_its_uncertainty_and_used(tmp_path: Path) -> None:
    path = write_rr(tmp_path / "rr.txt", np.tile(TRUTH.rr_ms, 5))
    folder = bring(path, tmp_path / "rr", declared=Declared(20.0, 3.0))
    recording = read_import(folder)
    assert (recording.first_train_s, recording.start_uncertainty_s) == (20.0, 3.0)
    (only,) = recording_runs(recording, PROTOCOLS["dash"])
    assert only.onsets_s[:2].tolist() == [20.0, 36.0]
    assert only.start_uncertainty_s == 3.0
    (said,) = recording_runs(recording, PROTOCOLS["dash"], first_train_s=24.0, start_uncertainty_s=1.0)
    assert (said.onsets_s[0], said.start_uncertainty_s) == (24.0, 1.0)
    with pytest.raises(InputError, match="lies after its end"):
        bring(path, tmp_path / "late", declared=Declared(900.0))


def test_recorded_triggers_win_over_a_declared_start_and_that_is_told(tmp_path: Path) -> None:
    recording = read_import(bring(write_csv(tmp_path / "t.csv"), tmp_path / "t", declared=Declared(5.0)))
    assert recording.first_train_s is None
    assert any("--start-s 5 was ignored: 150 triggers" in note for note in recording.notes)


def test_labels_give_sites_and_intensities_to_the_runs(tmp_path: Path) -> None:
    path, folder = write_edf(tmp_path / "a.edf", LONG), tmp_path / "a"
    steps = tuple(float(step) for step in range(30, 45))
    labels = Labels("P-1", "dash", ("BF3-L",), steps)
    import_one(path, folder, ReadOptions(), labels=labels)
    recording = read_import(folder)
    assert recording.labels == labels
    (only,) = recording_runs(recording, PROTOCOLS["dash"])
    assert only.site == "BF3-L"
    assert only.intensities_pct is not None
    assert only.intensities_pct.tolist() == list(steps)


def test_our_own_session_becomes_an_import_with_the_beats_of_the_box(tmp_path: Path) -> None:
    from hbc_host.session import load_session

    source = Path(__file__).resolve().parents[1] / "data" / "session-0.1.0"
    session, recording = load_session(source), read_import(bring(source, tmp_path / "s"))
    assert recording.beats_s is not None
    assert recording.triggers_s is not None
    assert np.array_equal(recording.beats_s, session.beats_s)
    assert np.array_equal(recording.triggers_s, session.edges_s)
    assert recording.labels.protocol == session.meta.protocol
    assert recording.ecg_start_s == session.ecg_s[0]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (INFO_NAME, lambda data: data[:50], "cannot be read"),
        (INFO_NAME, lambda data: data.replace(b"hbc-import-1", b"hbc-import-9"), "'hbc-import-1' is read"),
        (INFO_NAME, lambda data: data.replace(b'"samples_n": 15000', b'"samples_n": 99999999999'), "declares"),
        (INFO_NAME, lambda data: data.replace(b'"samples_n": 15000', b'"samples_n": 15001'), "says 15001"),
        ("ecg.tsv.gz", lambda data: data[:-40], "is damaged"),
        ("ecg.tsv.gz", lambda data: gzip.compress(b"0" * 3_000_000), "holds 1 samples"),
        ("beats.csv", lambda data: data[:200], "says"),
        ("beats.csv", lambda data: data.replace(b"\n0.5", b"\nx.5"), "cannot be read"),
        ("triggers.csv", lambda data: data.replace(b"16.0", b"99.0"), "do not increase"),
    ],
)
def test_a_damaged_import_is_refused_with_its_reason(tmp_path: Path, name: str, change: object, words: str) -> None:
    folder = bring(write_edf(tmp_path / "a.edf"), tmp_path / "a")
    file = folder / name
    data = file.read_bytes()
    changed = change(data)  # type: ignore[operator]
    assert changed != data
    file.write_bytes(changed)
    with pytest.raises(InputError, match=words):
        read_import(folder)


def test_what_a_small_file_declares_never_becomes_memory(tmp_path: Path) -> None:
    bombs = [broken for broken in BROKEN if broken.name[:2] in ("31", "35", "36", "39")]
    header = f"huge 1 360 {SAMPLES_MAX_N * 50}\nhuge.dat 16 200 16 0 0 0 0 ECG\n"
    (tmp_path / "huge.hea").write_text(header)
    (tmp_path / "huge.dat").write_bytes(bytes(4000))
    for broken in bombs:
        broken.make(tmp_path / broken.name)
    import wfdb  # noqa: F401 - its own memory is not the file's

    for path in [tmp_path / "huge.hea", *(tmp_path / broken.name for broken in bombs)]:
        tracemalloc.start()
        try:
            with pytest.raises(InputError):
                read_recording(path)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < 40e6, path.name


def test_an_xdf_that_would_need_too_much_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hbc_host.io import xdf_check

    path = write_xdf(tmp_path / "a.xdf")
    needed = [size.memory_bytes for size in xdf_check.check_chunks(path, path.read_bytes())[0].values()]
    assert sum(needed) > TRUTH.ecg_mv.size * 95
    monkeypatch.setattr(xdf_check, "XDF_MEMORY_MAX_BYTES", sum(needed) - 1)
    with pytest.raises(InputError, match="record the ECG and the markers alone"):
        read_recording(path)


def test_options_that_make_no_sense_are_refused_before_any_file_is_read(tmp_path: Path) -> None:
    path = write_rr(tmp_path / "rr.txt")
    for words, said in (
        (["--start-uncertainty-s", "3"], "add --start-s"),
        (["--start-s", "-3"], "before the recording"),
        (["--protocol", "waltz"], "is unknown"),
        (["--intensities", "30,much"], "not a list"),
        (["--map", "heart=2"], "is not ROLE=COLUMN"),
    ):
        code, text = run("import", path, "--out", tmp_path / "out", *words)
        assert code != 0
        assert said in text
    assert not (tmp_path / "out").exists()


def test_the_command_prints_every_guess_and_ends_with_2_when_a_file_is_refused(tmp_path: Path) -> None:
    good, bad = write_rr(tmp_path / "rr.txt"), tmp_path / "bad.csv"
    bad.write_text("nothing\n")
    words = [sys.executable, "-m", "hbc_host.cli_entry", "import", str(good), str(bad), "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "note: the unit of the intervals is not stated; their median is 800" in done.stdout
    assert f"refused: {bad}: holds no numbers" in done.stdout
    assert done.stderr.strip() == "error: 1 of 2 files were refused; the reasons stand above"
