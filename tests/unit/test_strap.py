"""A strap made of code at bleak's interface: the bytes that a Polar H10 sends, by its published description.

The real bleakheart decodes them. No strap has ever been connected.
"""

from __future__ import annotations

import asyncio
import json
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hbc_host.analysis import analyze_files
from hbc_host.cli import app
from hbc_host.errors import InputError, TransportError
from hbc_host.exchange import strap_ble
from hbc_host.exchange.strap import DELAY_MAX_S, REACTION_S, finish_strap, recording_of
from hbc_host.exchange.strap_ble import StrapRecorder
from hbc_host.exchange.strap_log import EcgFrame, RrFrame, StrapLog, StrapWriter, read_strap
from hbc_host.io.import_folder import read_import
from hbc_host.trains import parse_protocol
from typer.testing import CliRunner

PMD_CONTROL = "FB005C81-02E7-F387-1CAD-8ACD2D8DF0C8"
PMD_DATA = "FB005C82-02E7-F387-1CAD-8ACD2D8DF0C8"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
FRAME_N = 73  # samples in a notification of an H10
TRUE_HZ = 130.2  # a strap's crystal is not exact
DELAY_S = 0.12
SENSOR_ZERO_S = 5000.0  # what the strap's clock says at host second 100
HOST_ZERO_S = 100.0
BEAT_S = 0.8


def ecg_uv(sensor_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """An R wave of 1 mV every 0.8 s of the strap's clock, from its second 5000.4 on."""
    phase_s = np.remainder(sensor_s - SENSOR_ZERO_S - 0.4 + BEAT_S / 2, BEAT_S) - BEAT_S / 2
    wave = 1000 * np.exp(-((phase_s / 0.012) ** 2)) + 150 * np.exp(-(((phase_s - 0.25) / 0.05) ** 2))
    return np.rint(wave).astype(np.int64)


class FakeStrap:
    """A peripheral, its virtual time, and stand-ins for bleak's scanner and client."""

    def __init__(self, *, has_ecg: bool = True, lost_at_s: tuple[float, ...] = (), skip: tuple[int, ...] = ()) -> None:
        self.has_ecg, self.lost_at_s, self.skip = has_ecg, list(lost_at_s), skip
        self.host_s = HOST_ZERO_S
        self.connections_n = 0
        self.frame_n = 0
        self.there = True

    def clock(self) -> float:
        return self.host_s

    @property
    def scanner(self) -> Any:
        async def find(*_: Any, **__: Any) -> Any:
            return SimpleNamespace(name="Polar H10 FAKE", address="AA:BB") if self.there else None

        return SimpleNamespace(find_device_by_filter=find, find_device_by_address=find)

    def client(self, device: Any, disconnected_callback: Callable[[Any], None]) -> Any:
        return FakeClient(self, disconnected_callback)


class FakeClient:
    """What bleakheart uses of BleakClient."""

    name = "Polar H10 FAKE"

    def __init__(self, strap: FakeStrap, lost: Callable[[Any], None]) -> None:
        self._strap, self._lost = strap, lost
        self._notify: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._streams_ecg = False

    async def __aenter__(self) -> FakeClient:
        self._strap.connections_n += 1
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def start_notify(self, characteristic: str, handler: Any) -> None:
        self._notify[characteristic] = handler

    async def write_gatt_char(self, characteristic: str, request: bytearray) -> None:
        assert characteristic == PMD_CONTROL
        # START, ECG, 130 samples per second, 14 bit.
        assert bytes(request) == bytes([2, 0, 0, 1, 130, 0, 1, 1, 14, 0])
        self._streams_ecg = self._strap.has_ecg
        answer = bytearray([0xF0, 2, 0, 0 if self._strap.has_ecg else 3, 0, 0])
        await self._notify[PMD_CONTROL](None, answer)

    async def _live(self) -> None:
        """One notification of each kind every 73 samples of virtual time."""
        strap = self._strap
        while True:
            await asyncio.sleep(0)
            if HEART_RATE not in self._notify or (strap.has_ecg and not self._streams_ecg):
                continue
            strap.frame_n += 1
            n = strap.frame_n
            last_s = SENSOR_ZERO_S + n * FRAME_N / TRUE_HZ
            strap.host_s = HOST_ZERO_S + (last_s - SENSOR_ZERO_S) + DELAY_S + 0.03 * (n % 4 == 3)
            if strap.lost_at_s and strap.host_s > HOST_ZERO_S + strap.lost_at_s[0]:
                strap.lost_at_s.pop(0)
                strap.frame_n += 10
                self._lost(self)
                return
            if self._streams_ecg and n not in strap.skip:
                times_s = last_s - np.arange(FRAME_N - 1, -1, -1) / TRUE_HZ
                data = bytes([0]) + struct.pack("<Q", round(last_s * 1e9)) + bytes([0])
                data += b"".join(int(uv).to_bytes(3, "little", signed=True) for uv in ecg_uv(times_s))
                await self._notify[PMD_DATA](None, bytearray(data))
            await self._heart_rate(last_s)

    async def _heart_rate(self, last_s: float) -> None:
        beats_n = int((last_s - SENSOR_ZERO_S) // BEAT_S) - int((last_s - SENSOR_ZERO_S - FRAME_N / TRUE_HZ) // BEAT_S)
        flags = 16 if beats_n else 0
        body = struct.pack("<BB", flags, 75) + struct.pack("<H", round(BEAT_S * 1024)) * beats_n
        await self._notify[HEART_RATE](None, bytearray(body))


def record_from(
    strap: FakeStrap, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, mark_s: float | None = None
) -> tuple[Path, list[str]]:
    """Record for so many virtual seconds; the raw file, and what was told."""
    bleak, heart = strap_ble.load_ble()
    fake = SimpleNamespace(BleakScanner=strap.scanner, BleakClient=strap.client, exc=bleak.exc)
    monkeypatch.setattr(strap_ble, "load_ble", lambda: (fake, heart))
    monkeypatch.setattr(strap_ble, "AGAIN_S", 0.0)
    monkeypatch.setattr(strap_ble, "TURN_S", 0.0)
    told: list[str] = []
    raw = folder / "s.jsonl"
    writer = StrapWriter(raw, created="2026-01-02T03:04:05+00:00", device="fake", protocol="dash", site="BF3-L")

    def over() -> bool:
        if mark_s is not None and writer.marks_n == 0 and strap.host_s >= HOST_ZERO_S + mark_s:
            writer.mark(HOST_ZERO_S + mark_s)
        return strap.host_s >= HOST_ZERO_S + seconds

    try:
        asyncio.run(StrapRecorder(writer, clock=strap.clock, tell=told.append).run(over))
    finally:
        writer.close()
    return raw, told


def test_ecg_and_beats_of_a_strap_become_a_folder_that_says_strap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, told = record_from(FakeStrap(), tmp_path, monkeypatch, 60.0, mark_s=20.0)
    assert told == ["Polar H10 FAKE: ECG and intervals"]
    finish_strap(raw, tmp_path / "s")
    found = read_import(tmp_path / "s")
    assert found.ecg is not None
    assert found.ecg.rate_hz == pytest.approx(TRUE_HZ, rel=1e-4)
    assert found.gaps_s == ()
    assert found.beats_s is not None
    # Beats lie where the strap's clock has them, the first sample being one period after its second 5000.
    expected_s = 0.4 + BEAT_S * np.arange(found.beats_s.size) - 1 / TRUE_HZ
    np.testing.assert_allclose(found.beats_s - expected_s, (found.beats_s - expected_s).mean(), atol=0.004)
    assert abs((found.beats_s - expected_s).mean()) < 0.01
    assert found.labels.title == "strap"
    assert found.notes[0].startswith("strap, not the box; alignment +-0.55 s")
    assert json.loads((tmp_path / "s" / "recording.json").read_text())["source"]["format"] == "strap"
    for path in (raw, *(tmp_path / "s").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mark_is_placed_within_the_stated_alignment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, _ = record_from(FakeStrap(), tmp_path, monkeypatch, 60.0, mark_s=20.0)
    found = recording_of(read_strap(raw))
    true_s = 20.0 - 1 / TRUE_HZ  # the strap's clock runs as the host's, and the first sample is a period after its zero
    assert found.first_train_s is not None
    assert abs(found.first_train_s - true_s) <= DELAY_MAX_S / 2
    assert found.start_uncertainty_s == pytest.approx(DELAY_MAX_S / 2 + REACTION_S)


def test_analysis_and_report_say_strap_and_use_its_uncertainty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, _ = record_from(FakeStrap(), tmp_path, monkeypatch, 80.0, mark_s=30.0)
    finish_strap(raw, tmp_path / "s")
    analysis = analyze_files([tmp_path / "s"], protocol=parse_protocol("dash"))
    text = " ".join(analysis.notes)
    assert "strap, not the box; alignment +-0.55 s" in text
    assert "known to +-0.55 s" in text
    assert analysis.sites[0].site == "BF3-L"
    from hbc_host.report import write_report

    page = write_report(analysis, tmp_path / "r.html", command="hbc analyze", session_info={})
    assert "strap, not the box; alignment +-0.55 s" in page.read_text("utf-8")


def test_without_a_mark_the_start_is_as_uncertain_as_a_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, _ = record_from(FakeStrap(), tmp_path, monkeypatch, 230.0)
    found = recording_of(read_strap(raw))
    protocol = parse_protocol("dash")
    assert protocol.rest_cycles_n is not None
    assert found.first_train_s == protocol.rest_cycles_n * protocol.cycle_s
    assert found.start_uncertainty_s == protocol.cycle_s / 2
    assert "nobody marked the first pulse" in found.notes[0]


def test_lost_frames_are_a_gap_of_their_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, _ = record_from(FakeStrap(skip=(20, 21)), tmp_path, monkeypatch, 60.0, mark_s=20.0)
    found = recording_of(read_strap(raw))
    ((start_s, end_s),) = found.gaps_s
    assert start_s == pytest.approx(19 * FRAME_N / TRUE_HZ, abs=1e-6)
    assert end_s - start_s == pytest.approx(2 * FRAME_N / TRUE_HZ, abs=0.01)
    assert found.ecg is not None
    finish_strap(raw, tmp_path / "s")
    beats_s = read_import(tmp_path / "s").beats_s
    assert beats_s is not None
    np.testing.assert_allclose(np.remainder(beats_s[-20:] - beats_s[-1] + 0.4, BEAT_S), 0.4, atol=0.02)


def test_a_lost_strap_is_taken_up_again_and_the_time_between_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strap = FakeStrap(lost_at_s=(20.0,))
    raw, told = record_from(strap, tmp_path, monkeypatch, 60.0, mark_s=10.0)
    assert strap.connections_n == 2
    assert "strap lost; looking for it again" in told
    found = recording_of(read_strap(raw))
    ((start_s, end_s),) = found.gaps_s
    assert end_s - start_s == pytest.approx(11 * FRAME_N / TRUE_HZ, abs=0.15)  # to the delay of the radio


def test_a_strap_without_ecg_gives_its_own_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, told = record_from(FakeStrap(has_ecg=False), tmp_path, monkeypatch, 60.0, mark_s=20.0)
    assert told == ["Polar H10 FAKE: intervals only, no ECG (NOT SUPPORTED)"]
    finish_strap(raw, tmp_path / "s")
    found = read_import(tmp_path / "s")
    assert found.ecg is None
    assert found.beats_s is not None
    assert found.beats_s.size >= 60
    np.testing.assert_allclose(np.diff(found.beats_s), BEAT_S, atol=0.002)
    assert "no ECG came" in " ".join(found.notes)


def test_intervals_that_came_late_follow_a_gap() -> None:
    frames = [RrFrame(0, 10.0 + k, (1000.0,)) for k in range(10)] + [RrFrame(0, 40.0 + k, (1000.0,)) for k in range(5)]
    found = recording_of(StrapLog({"protocol": ""}, (), tuple(frames), (), 0))
    assert found.beats_s is not None
    assert found.gaps_s == ((10.0, 30.0),)
    assert found.beats_s[-1] == pytest.approx(35.0)


def test_a_raw_file_cut_off_by_a_crash_is_finished_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, _ = record_from(FakeStrap(), tmp_path, monkeypatch, 60.0, mark_s=20.0)
    raw.write_bytes(raw.read_bytes()[:-40])
    result = CliRunner().invoke(app, ["strap", "finish", str(raw), "--out", str(tmp_path / "s"), "--json", "-"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["beats_n"] > 60
    assert "1 lines of the raw file could not be read" in told["notes"]


def test_no_strap_and_no_bluetooth_are_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strap = FakeStrap()
    strap.there = False
    with pytest.raises(TransportError, match="no heart-rate strap within 15 s; wet its electrodes"):
        record_from(strap, tmp_path, monkeypatch, 60.0)
    (tmp_path / "other").mkdir()
    writer = StrapWriter(tmp_path / "other" / "t.jsonl")
    recorder = StrapRecorder(writer)

    async def refused(_: object) -> None:
        raise OSError("no adapter")

    monkeypatch.setattr(recorder, "_once", refused)
    with pytest.raises(TransportError, match=r"Bluetooth cannot be used \(no adapter\); switch it on"):
        asyncio.run(recorder.run(lambda: False))
    writer.close()


def test_a_recording_to_which_nothing_came_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: object, stop: object) -> None:
        return

    monkeypatch.setattr(StrapRecorder, "run", nothing)
    result = CliRunner().invoke(app, ["strap", "record", "--out", str(tmp_path / "s"), "--protocol", "dash"])
    assert result.exit_code == 2
    assert "the strap sent neither ECG nor intervals" in result.output
    assert not list(tmp_path.iterdir())


def test_the_command_records_and_makes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strap = FakeStrap()
    bleak, heart = strap_ble.load_ble()
    fake = SimpleNamespace(BleakScanner=strap.scanner, BleakClient=strap.client, exc=bleak.exc)
    monkeypatch.setattr(strap_ble, "load_ble", lambda: (fake, heart))
    words = ["strap", "record", "--out", str(tmp_path / "s"), "--seconds", "2", "--protocol", "5/11", "--json", "-"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["beats_n"] > 10
    assert told["first_train_s"] is None
    assert "give --first-train-s and --start-uncertainty-s" in told["notes"][0]
    assert read_import(tmp_path / "s").notes[0].startswith("strap, not the box")


BAD = {
    "": "is no raw file",
    '{"kind": "begin"}': "is no raw file",
    "[" * 100_000: "is no raw file",
    '{"kind": "begin", "format": "hbc-strap-1"}': "neither ECG nor intervals",
    '{"kind": "begin", "format": "hbc-strap-1"}\n{"kind": "ecg", "connection": 0, "arrived_s": 1, "sensor_s": 1e999,'
    ' "uv": [1]}': "neither ECG nor intervals",
    '{"kind": "begin", "format": "hbc-strap-1"}\n{"kind": "ecg", "connection": 0, "arrived_s": 1, "sensor_s": 1, "uv":'
    " [1]}\n" + '{"kind": "ecg", "connection": 0, "arrived_s": 9e9, "sensor_s": 9e9, "uv": [1]}': "at most 12 h",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_raw_file_that_is_none_is_refused_in_a_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(InputError, match=BAD[text]) as caught:
        finish_strap(tmp_path / "s.jsonl", tmp_path / "s")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_a_mark_outside_the_recording_is_refused() -> None:
    frames = tuple(EcgFrame(0, 10.0 + 0.5 * k, 0.5 * k, (0,) * 65) for k in range(40))
    with pytest.raises(InputError, match="press the key once, at the first pulse"):
        recording_of(StrapLog({"protocol": ""}, frames, (), (500.0,), 0))


def test_without_bleak_the_command_to_install_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bleak", None)
    result = CliRunner().invoke(app, ["strap", "record", "--out", str(tmp_path / "s"), "--protocol", "dash"])
    assert result.exit_code == 2
    assert "pip install 'hbc-box[strap]'" in result.output
    assert not list(tmp_path.iterdir())
