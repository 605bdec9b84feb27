"""The rehearsal of docs/howto/session.md, typed as it stands there: no box, no patient, no number of one's own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hbc_host.clinic.visit import load_visit
from hbc_host.names import is_simulated
from hbc_host.session import load_session
from hbc_host.store.database import open_store
from hbc_host.store.sessions import find_visit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "session.md"
WAIT_S = 120.0  # a busy computer
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


def documented() -> list[list[str]]:
    """The commands of the section, in order."""
    section = PAGE.read_text("utf-8").partition("## Rehearse it")[2].partition("\n## ")[0]
    lines = "\n".join(re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line]


def wait_for(happens: Callable[[], object], what: str) -> None:
    until_s = time.monotonic() + WAIT_S
    while not happens():
        assert time.monotonic() < until_s, f"no {what} within {WAIT_S:g} s"
        time.sleep(0.1)


def test_a_newcomer_types_the_rehearsal_as_it_stands_in_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("HBC_SESSIONS", str(tmp_path / "sessions"))
    hbc = str(Path(sys.executable).with_name("hbc"))
    *before, sim, run = documented()
    assert [words[1:3] for words in before] == [["patient", "add"], ["protocol", "new"], ["session", "new"]]
    assert (sim, run[:3]) == (["hbc", "sim"], ["hbc", "session", "run"])
    said = ""
    for words in before:
        done = subprocess.run([hbc, *words[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        said = done.stdout
    assert f"next: {shlex.join(run)}\n" in said, "what the page says is what the command before it says"
    (folder,) = (tmp_path / "sessions" / "P-001").iterdir()
    log = tmp_path / "session.txt"
    with (
        subprocess.Popen([hbc, *sim[1:]], stdout=subprocess.PIPE, text=True, env=os.environ | UNBUFFERED) as box,
        log.open("w") as out,
    ):
        assert box.stdout is not None
        port = box.stdout.readline().removeprefix("port: ").strip()
        words = [port if word == "PORT" else word for word in run[1:]]
        with subprocess.Popen([hbc, *words, "--no-page"], stdout=out, stderr=out) as session:
            wait_for(lambda: (folder / "session.json").exists() or session.poll() is not None, "recording")
            time.sleep(2.0)
            session.send_signal(signal.SIGINT)
        box.send_signal(signal.SIGINT)
    assert session.returncode == 130, log.read_text()
    assert load_visit(folder).practice
    assert is_simulated(load_session(folder).hello.unique_id)
    with open_store() as store:
        row = find_visit(store, "P-001/1")
        assert (row.practice, row.status) == (True, "stopped")
