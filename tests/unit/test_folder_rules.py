"""What a recording's folder promises when programs meet in it, parts are missing, or a report comes too early."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hbc_host.cli import app
from hbc_host.cli_labels import looks_like_a_name
from hbc_host.errors import SessionError
from hbc_host.folder import LOCK_NAME, FolderLock, running_note
from hbc_host.manifest import MANIFEST_NAME, file_sha256
from hbc_host.parts import part_name
from hbc_host.record import record
from hbc_host.recorder import LOG_NAME
from hbc_host.repair import repair_session, verify_session
from support import FakeTransport, a_meta, box_frames, stream_of
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    transport = FakeTransport([stream_of(box_frames(6.0))])
    return record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end).path


def test_a_lock_taken_while_its_holder_lets_go_keeps_all_others_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder unlinks its file between our open and our flock: what we hold then has no name any more."""
    holder, flock = FolderLock(folder), fcntl.flock

    def late(number: int, how: int) -> None:
        holder.release()
        flock(number, how)

    monkeypatch.setattr(fcntl, "flock", late)
    ours = FolderLock(folder)
    monkeypatch.undo()
    assert (folder / LOCK_NAME).exists()
    with pytest.raises(SessionError, match="is being written by hbc, process"):
        FolderLock(folder)
    ours.release()
    FolderLock(folder).release()


def test_a_lock_on_a_disk_that_turned_read_only_is_given_back_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name stays; without that, the recording had ended with a traceback instead of one line."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    lock = FolderLock(tmp_path)
    monkeypatch.setattr(os, "unlink", refuse)
    lock.release()
    monkeypatch.undo()
    assert (tmp_path / LOCK_NAME).exists()
    FolderLock(tmp_path).release()


def test_programs_that_take_turns_never_hold_a_lock_together(tmp_path: Path) -> None:
    """Three processes take and give back the lock as fast as they can; each writes its name while it holds it."""
    code = """if True:
        import os, sys, time
        from pathlib import Path
        from hbc_host.errors import SessionError
        from hbc_host.folder import FolderLock
        place, until_s, turns_n = Path(sys.argv[1]), time.monotonic() + 60, 0
        while turns_n < 25 and time.monotonic() < until_s:
            try:
                lock = FolderLock(place)
            except SessionError:
                continue
            os.close(os.open(place / "inside", os.O_CREAT | os.O_EXCL))  # fails when somebody else is inside
            os.unlink(place / "inside")
            lock.release()
            turns_n += 1
        print(turns_n)
    """
    command = [sys.executable, "-c", code, str(tmp_path)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [other.communicate(timeout=300) for other in others]
    assert [error for _, error in ended] == [""] * 3
    assert all(int(turns) > 0 for turns, _ in ended)


def test_a_report_of_a_running_recording_says_that_it_is_not_over(folder: Path) -> None:
    code = "import sys; from pathlib import Path; from hbc_host.folder import FolderLock\n"
    code += "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(folder)]
    assert running_note(folder) == ()
    transport = FakeTransport([stream_of(box_frames(300.0))])
    folder = record(transport, folder.with_name("long"), meta=a_meta(), stop=lambda: transport.at_end).path
    command[-1] = str(folder)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        [words] = running_note(folder)
        analyzed = CliRunner().invoke(app, ["analyze", str(folder), "--protocol", "5/11"])
        other.communicate("")
    assert f"the recording is still running, written by hbc, process {other.pid}, since" in words
    shown = " ".join((analyzed.output + analyzed.stderr).split())
    assert "the recording is still running" in shown, shown
    own = FolderLock(folder)
    assert running_note(folder) == ()  # we ourselves know
    own.release()


def test_a_part_that_the_manifest_does_not_know_is_named(folder: Path) -> None:
    shutil.copy(folder / LOG_NAME, folder / part_name(2))
    assert f"{part_name(2)} is not in {MANIFEST_NAME}: it was added after that was written" in (
        verify_session(folder).problems
    )


def test_a_part_whose_forerunner_is_missing_is_named_and_not_passed_over(folder: Path) -> None:
    shutil.copy(folder / LOG_NAME, folder / part_name(3))
    words = f"{part_name(3)} is a part whose forerunner is missing: it is not read"
    assert verify_session(folder).problems == (words,)
    before = file_sha256(folder / part_name(3))
    repaired = repair_session(folder)
    assert f"{part_name(3)}: a part whose forerunner is missing" in repaired.lost
    assert file_sha256(folder / part_name(3)) == before


def test_a_title_with_a_blank_is_warned_of_and_recorded_all_the_same(tmp_path: Path) -> None:
    assert "give a pseudonym" in looks_like_a_name(Path("sessions/Anna Example"))
    assert looks_like_a_name(Path("My Documents/P-014")) == ""
    result = CliRunner().invoke(app, ["record", "--port", "/dev/no-such-port", "--out", str(tmp_path / "A. Example")])
    assert "'A. Example' has a blank in it" in result.stderr
    assert "no port /dev/no-such-port" in result.stderr  # the warning kept nobody from going on


def test_files_of_a_recording_are_for_their_owner_only(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes
