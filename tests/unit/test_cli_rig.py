"""``hbc sim`` is a box that ``hbc record`` cannot tell from a real one; ``hbc demo`` shows what it measured."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil import demo
from hbc_host import cli_rig, cli_sim
from hbc_host.analysis import RunInput, analyze_runs
from hbc_host.cli import app
from hbc_host.session_model import SessionMeta
from hbc_host.trains import PROTOCOLS
from typer.testing import CliRunner


def start(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "hbc_host.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def json_of(*words: str) -> Any:
    child = start(*words, "--json", "-")
    stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 0, stderr
    return json.loads(stdout)


@pytest.fixture
def simulated(micropython: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running ``hbc sim`` and its port."""
    child = start("sim", "--minutes", "3", "--seed", "5")
    assert child.stdout is not None
    try:
        first = child.stdout.readline()
        assert first.startswith("port: "), first
        child.stdout.readline()
        assert child.stdout.readline() == "no pulse train comes within these 3 minutes\n"
        yield child, first.removeprefix("port: ").strip()
    finally:
        child.terminate()  # not kill: it has a child and a temporary folder of its own to clear away
        child.wait(timeout=300)
        child.stdout.close()
        assert child.stderr is not None
        child.stderr.close()


def test_record_replay_and_switching_off(simulated: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    child, port = simulated
    for seconds in ("4", "8", "16"):  # a busy computer may lose frames of a box in real time: then once more
        session = str(tmp_path / seconds)
        recorded = json_of("record", "--port", port, "--out", session, "--sites", "BF3-L", "--seconds", seconds)
        assert recorded["ended"] == "stopped"
        if recorded["frames_lost_n"] == recorded["frames_bad_n"] == 0 and recorded["beats_n"] > 0:
            break
    assert recorded["frames_lost_n"] == recorded["frames_bad_n"] == 0
    assert recorded["beats_n"] > 0
    assert recorded["edges_n"] == 0
    replayed = json_of("replay", session, "--verify")
    assert replayed["same"] is True
    assert replayed["frames_n"] == recorded["frames_n"]
    child.send_signal(signal.SIGTERM)
    stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 0, stderr
    assert "the simulated box is off" in stdout


def test_a_closed_terminal_ends_a_recording_whole(simulated: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    _, port = simulated
    session = tmp_path / "P-004"
    child = start("record", "--port", port, "--out", str(session))
    until_s = time.monotonic() + 300.0
    while not (session / "wire.hbclog").exists():
        assert time.monotonic() < until_s
        time.sleep(0.1)
    child.send_signal(signal.SIGHUP)
    child.communicate(timeout=300)
    assert json.loads((session / "manifest.json").read_text())["ended"] == "interrupted"
    assert json_of("replay", str(session), "--verify")["same"] is True


def test_a_recording_is_never_overwritten(simulated: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    _, port = simulated
    (tmp_path / "notes.txt").write_text("mine")
    child = start("record", "--port", port, "--out", str(tmp_path), "--seconds", "1")
    _, stderr = child.communicate(timeout=300)
    assert child.returncode == 2
    assert stderr.startswith("error: ")
    assert "is not empty" in stderr
    assert stderr.count("\n") == 1


def test_pulling_the_cable_keeps_what_was_recorded(
    simulated: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    child, port = simulated
    session = tmp_path / "P-002"
    recording = start("record", "--port", port, "--out", str(session), "--give-up-s", "0")
    while not session.exists():
        assert recording.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    stdout, stderr = recording.communicate(timeout=300)
    assert recording.returncode == 2
    assert "disappeared; check the cable" in stderr
    assert stderr.count("\n") == 1
    assert f"session: {session}" in stdout
    assert "no trigger edges: nothing to analyse yet" in stdout
    assert "hbc report" not in stdout
    assert json_of("replay", str(session))["frames_n"] > 0


KEYS = [
    "interpreter",
    "virtual_s",
    "wall_s",
    "frames_lost_n",
    "beats_n",
    "edges_n",
    "r_peak_rms_ms",
    "beat_se",
    "beat_ppv",
    "edge_interval_max_ns",
    "edge_clock_max_us",
    "sites",
]
SITE_KEYS = ["site", "effect_ms", "ci95_ms", "p_value", "verdict", "truth_bpm"]


def fake_result(folder: Path, *, sites: bool) -> demo.DemoResult:
    """A demonstration result without its half minute: one site, no coupling, real arithmetic."""
    beats_s = np.cumsum(np.random.default_rng(3).normal(0.92, 0.02, 480))
    onsets_s = 196.0 + 16.0 * np.arange(15)
    run = RunInput("BF3-L", beats_s, onsets_s, 5.0, 0.0, 440.0)
    analysis = analyze_runs([run], protocol=PROTOCOLS["dash"], title="demo", source=str(folder / "session"))
    if not sites:
        analysis = replace(analysis, sites=())
    (folder / "session").mkdir()
    meta = SessionMeta(datetime(2026, 5, 4, 10, 31, tzinfo=UTC), "demo", "dash", ("BF3-L",), None, "0.1.0", "pty")
    (folder / "session" / "session.json").write_text(meta.to_json())
    found = tuple(
        demo.DemoSite(
            site=each.site,
            effect_ms=each.coupling.effect_ms,
            effect_bpm=each.coupling.effect_bpm,
            ci95_ms=each.coupling.ci95_ms,
            ci95_bpm=each.coupling.ci95_bpm,
            p_value=each.coupling.p_value,
            p_holm=each.p_holm,
            verdict=each.coupling.verdict,
            truth_bpm=1.5,
        )
        for each in analysis.sites
    )
    return demo.DemoResult(
        interpreter="micropython 1.29.0",
        seed=7,
        virtual_s=440.0,
        wall_s=4.0,
        frames_lost_n=0,
        beats_n=480,
        edges_n=750 if sites else 0,
        edges_true_n=750 if sites else 0,
        r_peak_rms_ms=0.25,
        r_peak_bias_ms=0.01,
        beat_se=1.0,
        beat_ppv=0.9995,
        edge_interval_max_ns=12.0 if sites else float("nan"),
        edge_clock_max_us=0.7 if sites else float("nan"),
        edge_bracket_half_us=2.5,
        sites=found,
        analysis=analysis,
        session_path=folder / "session",
    )


def test_the_demo_shows_found_beside_true_and_names_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda *_, **__: fake_result(tmp_path, sites=True))
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--json", "-"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert set(KEYS) <= set(document)
    assert set(SITE_KEYS) <= set(document["sites"][0])
    assert not any(str(tmp_path) in str(value) for value in document.values())
    for text in ("truth bpm", "1.5", "micropython 1.29.0", "110 times real time", "750 of 750", "99.95 %"):
        assert text in result.stderr
    assert f"report: {tmp_path / 'report.html'}" in result.stderr
    assert "BF3-L" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_played_recording_has_no_sites_and_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda *_, **__: fake_result(tmp_path, sites=False))
    result = CliRunner().invoke(
        app, ["demo", "--ecg", "toy", "--out", str(tmp_path), "--json", str(tmp_path / "d.json")]
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "d.json").read_text())["edge_interval_max_ns"] is None
    assert "against marks made by hand" in result.stdout
    assert not (tmp_path / "report.html").exists()


def test_on_a_terminal_sim_says_at_once_what_it_does_and_the_port_the_moment_it_is_there(micropython: str) -> None:
    """It takes a while to load: nobody is to wait before an empty screen."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TERM": "xterm"}
    command = [sys.executable, "-m", "hbc_host.cli", "sim", "--minutes", "1"]
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as child:
        os.close(follower)
        said = b""
        while b"port: /dev/" not in said:
            said += os.read(leader, 4096)
        assert said.index(b"switching on a simulated box") < said.index(b"port: /dev/")
        assert child.poll() is None, "it goes on running"
        child.terminate()
        with contextlib.suppress(OSError):  # nobody has the other end open any more
            while os.read(leader, 4096):
                pass
    os.close(leader)


def test_sim_says_when_the_first_train_comes() -> None:
    assert cli_sim._first_train(196.02, 60.0).startswith("the first pulse train comes 196 s after switching on")


def test_ctrl_c_in_the_demo_says_where_the_unfinished_recording_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        fake_result(tmp_path, sites=False)
        try:  # as the recorder does: it ends in good order, and what follows fails for want of the rest
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise KeyError("interpreter") from None

    monkeypatch.setattr(demo, "run_demo", interrupted)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == f"stopped by Ctrl-C; the unfinished recording stays in {tmp_path / 'session'}\n"


def test_a_fault_that_is_not_the_simulators_own_is_not_dressed_up_as_one() -> None:
    with pytest.raises(ValueError, match="ours"), cli_rig.plain_errors():
        raise ValueError("ours")
