"""A recording's folder: one writer, real full and read-only disks, manifest, verify, repair, going on after a crash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hbc_host.cli import app
from hbc_host.errors import SessionError
from hbc_host.folder import LOCK_NAME, FolderLock, room_warning
from hbc_host.manifest import MANIFEST_NAME, may_continue, read_manifest
from hbc_host.parts import part_name
from hbc_host.record import RecordSummary, record
from hbc_host.recorder import LOG_NAME, read_log
from hbc_host.repair import repair_session, verify_session
from hbc_host.replay import verify_replay
from hbc_host.session import META_NAME, load_session, session_hash
from support import FakeTransport, Sent, a_meta, box_frames, hello_values, stream_of
from typer.testing import CliRunner

REPOSITORY = Path(__file__).resolve().parents[2]


def run(folder: Path, sent: list[Sent], *, resume: bool = False, fetch: bool = False) -> RecordSummary:
    data = stream_of(sent)
    transport = FakeTransport(data[at : at + 500] for at in range(0, len(data), 500))
    return record(transport, folder, meta=a_meta(), stop=lambda: transport.at_end, resume=resume, fetch=fetch)


def cut_as_by_a_crash(folder: Path, bytes_n: int = 0) -> None:
    """What kill -9 leaves: no manifest, the lock's file without its holder, perhaps half a chunk."""
    (folder / MANIFEST_NAME).unlink()
    (folder / LOCK_NAME).write_text("hbc, process 1, since 00:00:00")
    log = folder / LOG_NAME
    if bytes_n:
        log.write_bytes(log.read_bytes()[:-bytes_n])


def test_a_finished_recording_has_a_manifest_that_verifies(tmp_path: Path) -> None:
    run(tmp_path / "s", box_frames(10.0))
    manifest = read_manifest(tmp_path / "s")
    assert manifest is not None
    assert [entry["name"] for entry in manifest["files"]] == [META_NAME, LOG_NAME]
    assert manifest["ended"] == "stopped"
    assert manifest["result_sha256"] == session_hash(load_session(tmp_path / "s"))
    assert manifest["box"]["unique_id"] == "a1b2c3d4e5f6"
    verdict = verify_session(tmp_path / "s")
    assert verdict.problems == ()
    assert verdict.result_sha256 == manifest["result_sha256"]
    assert not (tmp_path / "s" / LOCK_NAME).exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda s: (s / LOG_NAME).write_bytes((s / LOG_NAME).read_bytes()[:-9]), "bytes, it had"),
        (lambda s: flip(s / LOG_NAME, 9000), "was changed since it was recorded"),
        (lambda s: (s / META_NAME).unlink(), "session.json is missing"),
        (lambda s: (s / MANIFEST_NAME).unlink(), "no manifest.json: the recording was interrupted"),
        (lambda s: (s / MANIFEST_NAME).write_text("[]"), "is no manifest of hbc"),
        (lambda s: (s / MANIFEST_NAME).write_text("{" * 5000), "cannot be read"),
        (lambda s: spoil(s, {"name": "../../etc/passwd", "bytes": 1, "sha256": ""}), "passwd is missing"),
        (lambda s: spoil(s, 7), "? is missing"),
    ],
)
def test_whatever_was_changed_is_named(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    run(tmp_path / "s", box_frames(10.0))
    damage(tmp_path / "s")
    assert any(words in problem for problem in verify_session(tmp_path / "s").problems)
    result = CliRunner().invoke(app, ["session", "verify", str(tmp_path / "s")])
    assert result.exit_code == 2
    assert "problem: " in result.output


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def spoil(folder: Path, entry: object) -> None:
    document = json.loads((folder / MANIFEST_NAME).read_text())
    document["files"].append(entry)
    (folder / MANIFEST_NAME).write_text(json.dumps(document))


def test_repair_makes_a_whole_one_and_leaves_the_damaged_one_alone(tmp_path: Path) -> None:
    run(tmp_path / "s", box_frames(20.0))
    flip(tmp_path / "s" / LOG_NAME, 9000)
    cut_as_by_a_crash(tmp_path / "s", 40)
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    done = repair_session(tmp_path / "s")
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before
    assert done.path == tmp_path / "s-repaired"
    assert verify_session(done.path).problems == ()
    assert done.result_sha256 == session_hash(load_session(tmp_path / "s"))
    assert "the end of the log was cut off" in done.lost
    assert any("damaged place" in text for text in done.lost)
    log = read_log(done.path / LOG_NAME)
    assert (log.damaged_n, log.truncated) == (0, False)
    manifest = read_manifest(done.path)
    assert manifest is not None
    assert manifest["repaired_from"]["folder"] == "s"
    assert not may_continue(done.path)
    with pytest.raises(SessionError, match="is not empty; choose another folder"):
        repair_session(tmp_path / "s")
    result = CliRunner().invoke(app, ["session", "repair", str(tmp_path / "s"), "--out", str(tmp_path / "again")])
    assert (result.exit_code, "lost: 1 damaged place " in result.output) == (0, True)


def test_an_interrupted_recording_goes_on_in_a_second_part(tmp_path: Path) -> None:
    sent = box_frames(30.0)
    run(tmp_path / "s", sent[:400])
    cut_as_by_a_crash(tmp_path / "s", 40)
    first = (tmp_path / "s" / LOG_NAME).read_bytes()
    assert may_continue(tmp_path / "s")
    result = CliRunner().invoke(app, ["record", "--port", "/dev/null", "--out", str(tmp_path / "s")])
    assert result.exit_code == 2
    assert "go on with it by --continue" in result.output
    summary = run(tmp_path / "s", sent[600:], resume=True)
    assert (tmp_path / "s" / LOG_NAME).read_bytes() == first
    assert (tmp_path / "s" / part_name(2)).is_file()
    session = load_session(tmp_path / "s")
    [gap] = session.link_gaps
    assert gap.reason == "the recording was interrupted and continued"
    assert any(start <= gap.start_s and gap.end_s <= end for start, end in session.gaps_s)
    assert session.frames_lost_n == summary.frames_lost_n
    assert 200 <= session.frames_lost_n <= 202
    assert session.boots_n == summary.boots_n == 1
    verdict = verify_session(tmp_path / "s")
    assert verdict.problems == ()
    assert verdict.notes[0] == "the end of wire.hbclog is cut off"
    assert verify_replay(tmp_path / "s").same
    assert not may_continue(tmp_path / "s")
    assert verify_session(repair_session(tmp_path / "s").path).problems == ()


def test_a_part_that_was_begun_in_the_instant_of_a_crash_does_no_harm(tmp_path: Path) -> None:
    run(tmp_path / "s", box_frames(5.0))
    result = session_hash(load_session(tmp_path / "s"))
    for data in (b"", b"HBCLOG\x01\x00"):
        (tmp_path / "s" / part_name(2)).write_bytes(data)
        assert session_hash(load_session(tmp_path / "s")) == result


def test_only_the_same_box_continues_and_only_what_was_interrupted(tmp_path: Path) -> None:
    run(tmp_path / "s", box_frames(5.0))
    with pytest.raises(SessionError, match="holds no interrupted recording"):
        run(tmp_path / "s", box_frames(5.0), resume=True)
    cut_as_by_a_crash(tmp_path / "s")
    from hbc_host.protocol import frame
    from hbc_wire import messages

    other = FakeTransport([frame(messages.Hello, 0, *hello_values(unique_id="ffffffffffff"))])
    with pytest.raises(SessionError, match="is a recording of box a1b2c3d4e5f6, on the port is ffffffffffff"):
        record(other, tmp_path / "s", meta=a_meta(), stop=lambda: True, resume=True)
    assert not (tmp_path / "s" / part_name(2)).exists()
    assert not other.is_open
    with pytest.raises(SessionError, match="no recording at"):
        run(tmp_path / "none", box_frames(1.0), resume=True)


def test_two_programs_never_write_the_same_recording(tmp_path: Path) -> None:
    run(tmp_path / "s", box_frames(5.0))
    cut_as_by_a_crash(tmp_path / "s")
    code = "import sys, time; from pathlib import Path; from hbc_host.folder import FolderLock\n"
    code += "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            for use in (lambda: run(tmp_path / "s", [], resume=True), lambda: verify_session(tmp_path / "s")):
                with pytest.raises(SessionError, match=f"is being written by hbc, process {other.pid}, since"):
                    use()
        finally:
            other.kill()
    FolderLock(tmp_path / "s").release()


def in_a_namespace(mount: str, code: str, place: Path) -> str:
    """Output of Python code that runs where `place` is mounted so; skips where this machine forbids mounting."""
    script = f'mount {mount} {place} && exec {sys.executable} -c "$CODE" {place}'
    environment = {
        **os.environ,
        "CODE": textwrap.dedent(code),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    command = ["unshare", "-rm", "sh", "-c", script]
    probe = ["unshare", "-rm", "sh", "-c", f"mount {mount} {place}"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk (unshare -rm)")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_disk_that_fills_up_ends_the_recording_cleanly_and_all_of_it_loads(tmp_path: Path) -> None:
    """A real file system of 160 kB, full after half of the recording."""
    code = """
        import sys, shutil
        from pathlib import Path
        from test_session_folder import run
        from support import box_frames, stream_of
        from hbc_host.session import load_session
        folder = Path(sys.argv[1]) / "s"
        sent = box_frames(120.0)
        summary = run(folder, sent)
        session = load_session(folder)
        assert shutil.disk_usage(folder).free <= 2 * 4096  # the lock and an empty manifest are gone again
        assert session.frames_n > 500, session.frames_n
        assert session.frames_lost_n == 0 and session.duration_s > 30
        print(summary.ended, summary.reason)
        """
    place = tmp_path / "small"
    place.mkdir()
    said = in_a_namespace("-t tmpfs -o size=160k none", code, place)
    assert said.startswith("disk disk full while writing")
    assert "what was recorded so far is kept" in said


def test_a_read_only_disk_is_refused_in_one_line(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from test_session_folder import run
        from support import box_frames
        from hbc_host.errors import SessionError
        for folder, resume in ((Path(sys.argv[1]) / "s", False), (Path(sys.argv[1]), True)):
            try:
                run(folder, box_frames(2.0), resume=resume)
            except SessionError as error:
                print(error)
        """
    place = tmp_path / "ro"
    place.mkdir()
    said = in_a_namespace("-t tmpfs -o ro none", code, place).splitlines()
    assert len(said) == 2
    assert all("Read-only file system" in line and "choose a folder on a disk that is yours" in line for line in said)


def test_too_little_room_is_said_before_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_n = 20_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, free_n))  # type: ignore[attr-defined]
    assert room_warning(tmp_path / "s", 600.0) == ""
    assert "120 minutes need 36 MB: room for 67 minutes" in room_warning(tmp_path / "new" / "s", None)
    free_n = 100_000
    with pytest.raises(SessionError, match=r"0\.1 MB free at .*, a minute of recording needs 0\.3 MB"):
        room_warning(tmp_path / "s", None)


def test_a_running_recording_is_neither_verified_nor_offered_to_be_continued(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    replayed = CliRunner().invoke(app, ["replay", str(tmp_path), "--verify"])
    recorded = CliRunner().invoke(app, ["record", "--port", "/dev/no-such-port", "--out", str(tmp_path)])
    lock.release()
    for result in (replayed, recorded):
        assert result.exit_code == 2
        assert "is being written by" in result.stderr
