"""The doctor says what it found and what to do, in words that need no manual."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hbc_host import doctor


def test_all_checks_run_here_and_each_problem_has_a_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    monkeypatch.setattr(doctor, "port_names", lambda: [str(port)])
    rows = doctor.run_checks()
    assert [row.name for row in rows] == [
        "Python", "R-peak detector", "MicroPython", "serial ports", str(port), "electrical safety",
    ]  # fmt: skip
    for row in rows:
        assert row.status in (doctor.OK, doctor.NOTE, doctor.WARN, doctor.FAIL)
        assert row.found
        assert row.status == doctor.OK or row.next_step
        assert "\n" not in row.found + row.next_step


def test_an_old_python_fails() -> None:
    assert doctor.check_python((3, 10, 9)).status == doctor.FAIL
    assert "3.10.9" in doctor.check_python((3, 10, 9)).found


def test_a_missing_extension_says_how_to_install_it() -> None:
    row = doctor.check_extension("hbc_native_nonesuch")
    assert row.status == doctor.FAIL
    assert "pip install" in row.next_step


def test_micropython_is_found_and_its_absence_is_no_failure(micropython: str) -> None:
    row = doctor.check_micropython(micropython)
    assert row.status == doctor.OK
    assert row.found.split()[0].count(".") == 2
    assert doctor.check_micropython("/nonesuch/micropython").status == doctor.WARN
    assert doctor.check_micropython("/bin/false").status == doctor.WARN


def test_no_ports_is_a_warning_about_the_cable() -> None:
    assert doctor.check_ports([]).status == doctor.WARN
    assert "cable" in doctor.check_ports([]).next_step


@pytest.mark.parametrize("groups", [["users"], ["users", "dialout"]])
def test_a_forbidden_port_names_dialout(monkeypatch: pytest.MonkeyPatch, groups: list[str]) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(doctor, "group_names", lambda: groups)
    row = doctor.check_permission("/dev/ttyUSB0")
    assert row.status == doctor.FAIL
    assert ("already" in row.next_step) == ("dialout" in groups)
    assert ("usermod -aG dialout" in row.next_step) == ("dialout" not in groups)


def test_groups_of_this_process_have_names() -> None:
    assert all(isinstance(name, str) for name in doctor.group_names())


@pytest.mark.parametrize(("latency_ms", "status"), [(1, doctor.OK), (16, doctor.WARN)])
def test_the_latency_timer_of_an_ftdi_chip_is_read(tmp_path: Path, latency_ms: int, status: str) -> None:
    timer = tmp_path / "class" / "tty" / "ttyUSB0" / "device" / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text(f"{latency_ms}\n")
    row = doctor.check_latency("/dev/ttyUSB0", tmp_path)
    assert row is not None
    assert (row.status, f"{latency_ms} ms" in row.found) == (status, True)
    assert doctor.check_latency("/dev/ttyACM0", tmp_path) is None
