"""Every failure a user can cause is one line that says what to do next, exit code 2, and never a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial
from hbc_host import cli_common
from hbc_host.cli import app
from hbc_host.transport import SerialTransport
from hbc_wire import framing, messages
from typer.testing import CliRunner


def fails(*words: object) -> str:
    """Run a command that must fail; its one line."""
    result: Any = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    return one_line(result.stderr)


def one_line(stderr: str) -> str:
    assert "Traceback" not in stderr
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("error: ")
    return stderr.strip()


def in_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hbc_host.cli", *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
        check=False,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@contextmanager
def a_port_that_says(data: bytes, period_s: float = 0.05) -> Iterator[str]:
    """A serial port that repeats `data`, whoever listens."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    done = threading.Event()

    def talk() -> None:
        while not done.wait(period_s):
            if data:
                try:
                    os.write(master, data)
                except BlockingIOError:
                    continue

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield os.ttyname(slave)
    finally:
        done.set()
        talker.join()
        os.close(slave)
        os.close(master)


def hello_bytes(wire_version: int) -> bytes:
    row = messages.Hello
    values = [b"x" if code == "s" else 1 for code in row.codes]
    values[0] = wire_version
    buffer = bytearray(512)
    n = messages.pack_into(buffer, row, 0, values)
    return bytes(framing.encode(bytes(buffer[:n])))


def test_an_unknown_port_lists_the_ports_there_are(tmp_path: Path) -> None:
    line = fails("record", "--port", tmp_path / "ttyNONE", "--out", tmp_path / "s")
    assert "no port" in line
    assert "ports on this computer" in line
    assert not (tmp_path / "s").exists()


def test_a_busy_port_says_who_may_hold_it(tmp_path: Path) -> None:
    with a_port_that_says(b"") as port:
        first = SerialTransport(port)
        first.open()
        try:
            assert "busy; close the other program" in fails("record", "--port", port, "--out", tmp_path / "s")
        finally:
            first.close()


def test_a_forbidden_port_says_how_to_get_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(serial.Serial):
        def open(self) -> None:
            raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", lambda url, baud, do_not_open, **more: Forbidden(None, baud))
    assert "dialout" in fails("record", "--port", "/dev/ttyUSB0", "--out", tmp_path / "s")


def test_a_wrong_baud_rate_is_named_as_such(tmp_path: Path) -> None:
    noise = bytes(np.random.default_rng(7).integers(0, 256, 200, dtype=np.uint8))
    with a_port_that_says(noise) as port:
        assert "115200 baud" in fails("record", "--port", port, "--out", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_silent_port_says_what_to_check(tmp_path: Path) -> None:
    with a_port_that_says(b"") as port:
        assert "silent; check power and cable" in fails("record", "--port", port, "--out", tmp_path / "s")


def test_a_box_of_another_wire_version_is_refused(tmp_path: Path) -> None:
    with a_port_that_says(hello_bytes(messages.WIRE_VERSION + 1)) as port:
        line = fails("record", "--port", port, "--out", tmp_path / "s")
    assert f"box speaks wire version {messages.WIRE_VERSION + 1}, this host speaks {messages.WIRE_VERSION}" in line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("1.5\n2.5\n-1\n", "truncated"),
        ("1.5\n2.5\nhello\n4\n", "line 3 is 'hello', not a number"),
        ("0\n" * 20_000, "beats"),
    ],
    ids=["empty", "blank", "truncated", "words", "flat"],
)
def test_a_file_without_a_usable_ecg_says_why(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "ecg.txt"
    path.write_text(text)
    assert complaint in fails("analyze", path, "--protocol", "dash", "--rate-hz", 130)


def test_binary_rubbish_is_not_an_ecg(tmp_path: Path) -> None:
    path = tmp_path / "ecg.txt"
    path.write_bytes(bytes(range(256)) * 40)
    assert "not text" in fails("detect", path, "--rate-hz", 130)


def test_too_few_beats_are_counted(tmp_path: Path) -> None:
    (tmp_path / "beats.csv").write_text("beat_s\n1\n2\n3\n")
    (tmp_path / "triggers.csv").write_text("edge_s\n" + "\n".join(str(n * 0.1) for n in range(20)))
    line = fails("analyze", tmp_path / "beats.csv", tmp_path / "triggers.csv", "--protocol", "dash")
    assert "3 beats, at least 10 are needed" in line


def test_no_train_in_the_recording_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ecg.txt"
    wave = np.tile(np.r_[np.zeros(90), 1000.0, np.zeros(9)], 20)
    np.savetxt(path, wave, fmt="%.0f")
    line = fails("analyze", path, "--protocol", "dash", "--rate-hz", 100, "--first-train-s", 500)
    assert "first train at 500 s" in line


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nonsense"], "No such command"),
        (["analyze"], "Missing argument"),
        (["analyze", "x.txt"], "Missing option '--protocol'"),
        (["detect", "x", "--rate-hz", "fast"], "'--rate-hz'"),
        (["version", "--loud"], "No such option"),
        (["analyze", "x.txt", "--protocol", "waltz"], "protocol 'waltz' is unknown"),
        (["record", "--port", "x", "--out", "y", "--intensities", "20,lots"], "are not numbers; write 22,24,26"),
        (["record", "--port", "x", "--out", "y", "--intensities", "20,-3"], "-3 %MSO (percent of stimulator output)"),
        (["record", "--port", "x", "--out", "y", "--intensities", "20,101"], "101 %MSO"),
        (["record", "--port", "x", "--out", "y", "--intensities", "nan"], "nan %MSO"),
        (["record", "--port", "x", "--out", "y", "--sites", "A,,B"], "empty name"),
        (["record", "--port", "x", "--out", "y", "--sites", "A,B, A"], "holds A 2 times"),
        (["analyze", "x.txt", "y.txt", "./x.txt", "--protocol", "dash"], "x.txt is given twice"),
        (["analyze", "x.txt", "--protocol", "dash", "--report", "-"], "--report cannot write to standard output"),
        (["detect", "x.txt", "--csv", "-"], "--csv cannot write to standard output"),
        (["detect", "x.txt", "--csv", "./x.txt"], "is the input x.txt, which it would overwrite"),
        (["detect", "x.txt", "--csv", "y", "--json", "y"], "is also what --csv writes"),
        (["analyze", "x.txt", "--protocol", "dash", "--report", "y", "--json", "./y"], "is also what --report writes"),
        (["analyze", "S", "--protocol", "dash", "--json", "S/wire.hbclog"], "part of a recording"),
        (["report", "S", "--out", "S/session.json"], "part of a recording"),
        (["report", "x.json", "--out", "x.json"], "is the input x.json"),
        (["report", "a/x.json", "b/x.json", "--out", "."], "would share the report x.html"),
        (["replay", "S", "--json", "S/wire.hbclog"], "part of a recording"),
        (["record", "--port", "x", "--out", "y", "--protocol", "0/0"], "check ON/OFF"),
        (["analyze", "no/such/file.txt", "--protocol", "dash"], "no such file"),
        (["replay", "no/such/session"], "no recording at"),
        (["report", "no/such.json"], "cannot read"),
        (["doctor", "--json", "no/such/folder/x.json"], "choose another --json"),
        (["sim", "--minutes", "0"], "'--minutes'"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: list[str], complaint: str) -> None:
    assert complaint in fails(*words)


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # wfdb with pandas 3
def test_an_error_of_the_simulator_is_one_line_too() -> None:
    assert "no WFDB header no/such/record.hea" in fails("sim", "--ecg", "no/such/record")


def test_the_exit_code_of_the_program_is_two() -> None:
    done = in_process("analyze", "no/such/file.txt", "--protocol", "dash")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such file" in one_line(done.stderr)


def test_ctrl_c_ends_with_130_and_a_plain_word(tmp_path: Path) -> None:
    with a_port_that_says(b"") as port:
        command = [sys.executable, "-m", "hbc_host.cli", "record", "--port", port, "--out", str(tmp_path / "s")]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        try:
            _wait_until_open(child.pid, port)
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate(timeout=300)
        finally:
            child.kill()
    assert (child.returncode, stderr) == (130, "stopped by Ctrl-C\n")


@pytest.mark.parametrize("module", ["typer", "hbc_host.cli_common", "numpy"])
def test_ctrl_c_while_modules_load_is_one_line_too(module: str) -> None:
    code = f"""if True:
        import os, signal, sys
        class CtrlC:
            def find_spec(self, name, *_):
                if name == {module!r}:
                    sys.meta_path.remove(self)
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, CtrlC())
        sys.argv = ["hbc", "analyze", "no/such/file", "--protocol", "dash"]
        from hbc_host.cli_entry import main
        main()"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped by Ctrl-C\n")


def _wait_until_open(pid: int, port: str) -> None:
    until_s = time.monotonic() + 300
    while time.monotonic() < until_s:
        try:
            if any(os.path.realpath(link) == port for link in Path(f"/proc/{pid}/fd").iterdir()):
                return
        except OSError:  # a descriptor closed while we looked
            pass
        time.sleep(0.01)
    pytest.fail("hbc record did not open the port within 300 s")


def test_our_own_faults_are_one_line_too_and_not_a_users_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_common.explain(ZeroDivisionError("division\nby zero")) == cli_common.EXIT_BUG
    line = one_line(capsys.readouterr().err)
    assert "ZeroDivisionError: division by zero" in line
    assert "HBC_DEBUG=1" in line


def test_hbc_debug_shows_where_our_own_fault_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HBC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli_common.explain(ZeroDivisionError())


def test_a_full_disk_is_the_users_to_solve(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_common.explain(OSError(errno.ENOSPC, "No space left on device", "/data/x")) == 2
    assert one_line(capsys.readouterr().err) == (
        "error: /data/x: No space left on device; check the path and the free space"
    )


def test_the_json_target_is_checked_before_the_work(tmp_path: Path) -> None:
    assert "choose another --json" in fails("detect", "nothing", "--json", tmp_path)


def test_nan_never_reaches_the_json(tmp_path: Path) -> None:
    out = cli_common.Output(str(tmp_path / "x.json"))
    with pytest.raises(ValueError, match="Out of range"):
        out.json({"value": float("nan")})
    out.json({"value": None})
    assert json.loads((tmp_path / "x.json").read_text()) == {"value": None}
