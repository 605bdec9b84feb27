"""The simulated ADS1292R behaves as its data sheet says, and a box with one measures as a box with an AD8232 does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.afe import VOLT_PER_LSB
from hbc_hil.bench.rig_bench import settings_text
from hbc_hil.boxes import BOXES
from hbc_hil.demo import score_session
from hbc_hil.digital_front_end import WORD_MIDDLE, WORD_MV, DigitalSettings, sinc_taps
from hbc_hil.errors import RigError, ScenarioError
from hbc_hil.rig import Rig, RigOptions, flash_folder, rig
from hbc_hil.scenario import Scenario
from hbc_hil.world import WIRE_LO_MINUS, WIRE_LO_PLUS
from hbc_host.box import check
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.errors import InputError, SessionError
from hbc_host.even import evened
from hbc_host.protocol import frame
from hbc_host.recorder import Log
from hbc_host.redetect import redetect
from hbc_host.session import Session, decode_log
from hbc_host.session_model import SessionMeta
from hbc_wire import messages
from support_rig import HandWorld, messages_of, other_firmware, read_all, run_on_chip, run_scenario

CHECKS = Path(__file__).resolve().parent / "device" / "ads_checks.py"
META = SessionMeta(datetime(2026, 1, 1, tzinfo=UTC), "rig", "dash", (), None, "test", "rig")
WITH_ADS = [name for name, box in BOXES.items() if box.ads]
DEFAULTS = [0x73, 0x02, 0x80, 0x10, 0, 0, 0, 0, 0, 0, 0x02, 0x0C]
LSB_MV = 2420 / 6 / (2**23 - 1)
CLOCK_PPM = 3000


def keep(flash: Path, **values: int) -> None:
    (flash / "settings.txt").write_text(settings_text(values))


def millivolts_world(duration_s: float, mv: Any, events: list[tuple[int, int, int]] | None = None) -> HandWorld:
    """A world whose electrodes carry these millivolts, by the converter's unit of the stream."""
    return HandWorld(duration_s, lambda at_s: (mv(at_s) / WORD_MV + WORD_MIDDLE) * VOLT_PER_LSB, events or [])


def on_chip(name: str, flash: Path, world: HandWorld | None = None, **options: Any) -> tuple[dict[str, Any], Rig]:
    world = world or millivolts_world(3.0, lambda at_s: 0.0 * at_s)
    options = {"ads_clock_ppm": CLOCK_PPM, "electrode_offset_mv": 0} | options
    seen, box, _ = run_on_chip(CHECKS, name, world, flash, RigOptions(front_end="ads1292r", **options))
    return seen, box


def session_of(data: bytes) -> Session:
    return decode_log(Log((Chunk(FROM_BOX, 0.0, data),), 0, 0, False), Path("rig"), META)


def test_registers_are_read_and_written_only_when_it_does_not_send_data(tmp_path: Path) -> None:
    seen, box = on_chip("registers", tmp_path)
    assert seen["in_data_mode"] != DEFAULTS
    assert seen["default"] == DEFAULTS, "a write in data mode was taken, or a default is wrong"
    assert seen["written"] == [0x73, 1, 0xE0, 0x10, 0x81, 0x10, 0x2C, 0x0C, 0, 2, 3, 0x0C]
    assert seen["one"] == [0x10]
    assert all("fixed" in text or "reserved" in text for text in seen["fixed"])
    assert seen["after_reset"] != DEFAULTS, "after a reset it sends data again"
    assert seen["again"] == DEFAULTS
    assert box.report["ads_ignored_n"] > 0


def test_what_comes_too_soon_or_in_another_mode_is_not_understood(tmp_path: Path) -> None:
    seen, _ = on_chip("timing", tmp_path)
    assert seen["too_fast"] == [2], "a command without time to decode was obeyed"
    assert seen["slow_enough"] == [3]
    assert seen["wrong"] != [0x73]
    assert seen["too_soon"][1] != [0x73]
    assert "tSCCS" in seen["lift"]


def test_drdy_falls_at_each_rate_by_the_converters_own_clock(tmp_path: Path) -> None:
    seen, _ = on_chip("rates", tmp_path)
    for (settled_us, period_us, counted), cycles, rate_hz in zip(
        seen["seen"], (4100, 2052, 1028, 516), (125, 250, 500, 1000), strict=True
    ):
        clock = 1.0 + CLOCK_PPM * 1e-6
        assert period_us == pytest.approx(1e6 / rate_hz / clock, rel=1e-5)
        assert settled_us == pytest.approx(cycles * 4 / 0.512 / clock, abs=100)
        assert 12 <= counted <= 13
    assert seen["stopped"] == [False, False]


def test_data_come_by_command_or_continuously_and_a_late_reader_gets_a_torn_frame(tmp_path: Path) -> None:
    seen, box = on_chip("reading", tmp_path)
    assert seen["stopped"] == [0] * 9
    assert seen["by_command"][0] == seen["frame"][0] == 0xC0
    assert seen["frame"][2:6] == [0, 0, 0, 0], "status ends in zeros, and a channel that is off sends zeros"
    assert seen["again"] == seen["frame"], "a frame may be read twice"
    assert seen["pins"] == [1, 0, 1], "DRDY rises with the first clock of a read"
    levels = np.array(seen["levels"])
    square = 2420 / 2400 / LSB_MV
    assert np.allclose(np.abs(levels), square, rtol=5e-3)
    assert (levels > 0).sum() == pytest.approx(30, abs=8), "half a second each"
    assert box.report["ads_overwritten_n"] == 1
    assert seen["torn"][:6] == [0xC0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("wire", "bit"), [(None, 0), (WIRE_LO_PLUS, 1), (WIRE_LO_MINUS, 2)])
def test_the_driver_follows_the_input_at_every_rate_and_names_the_electrode(
    wire: int | None, bit: int, tmp_path: Path
) -> None:
    events = [] if wire is None else [(1_000_000, wire, 1)]
    world = millivolts_world(3.0, lambda at_s: 2.0 * np.sin(2 * np.pi * 5 * at_s), events)
    seen, _ = on_chip("driver", tmp_path, world, electrode_offset_mv=-200)
    for (fault, samples_n, good_n, low, high, leads), rate_hz in zip(seen["seen"], (125, 250, 500, 1000), strict=True):
        assert fault == ""
        assert good_n == samples_n == pytest.approx(0.4 * rate_hz, abs=5)
        assert leads == bit
        if wire is None:
            assert (high - low) * 16 * LSB_MV == pytest.approx(4.2, abs=0.7)  # the offset is still being followed
        else:
            assert max(abs(low), abs(high)) == 32767
    assert "not at 2000 Hz" in seen["no_rate"]


def test_a_step_is_forgotten_equally_fast_at_every_rate(tmp_path: Path) -> None:
    world = millivolts_world(9.0, lambda at_s: 8.0 * (at_s // 1.3))
    seen, _ = on_chip("corner", tmp_path, world)
    assert seen["seen"] == pytest.approx([256 / 500 * 1e6] * 4, rel=0.03), "the corner is 0.31 Hz"


def test_a_free_electrode_is_told_as_saturation_too(tmp_path: Path) -> None:
    keep(tmp_path, front_end=1)
    world = millivolts_world(6.0, lambda at_s: 0.0 * at_s, [(3_000_000_000, WIRE_LO_PLUS, 1)])
    with other_firmware(None, world):
        _, data = run_scenario(Scenario(seed=3, duration_s=1.0), RigOptions(front_end="ads1292r"), tmp_path)
    told = [one.saturated_n for one in messages_of(data) if isinstance(one, messages.Status.make)]
    assert sum(told[:2]) == 0
    assert 450 < told[-1] < 550, "every sample of a second"


def test_a_frame_that_was_spoiled_on_the_line_is_no_sample_and_the_last_one_stays(tmp_path: Path) -> None:
    seen, _ = on_chip("spoiled_frames", tmp_path, millivolts_world(1.0, lambda at_s: np.sin(2 * np.pi * 7 * at_s)))
    assert seen["seen"][0] == ["", True, True, False], "the bench must show what a good one does"
    assert [(good, taken, stays) for _, good, taken, stays in seen["seen"][1:]] == [(True, False, True)] * 6


def test_a_register_that_was_not_kept_and_another_chip_are_told(tmp_path: Path) -> None:
    seen, _ = on_chip("spoiled_start", tmp_path)
    assert (seen["first"], seen["again"]) == ("", "")
    assert seen["stored"] == ["ADS1292R does not keep its settings: no samples. Check wiring"] * 9
    other, low, high = seen["answers"]
    assert other == "no ADS1292R at the SPI pins: another chip answers. No samples"
    assert low == high == "ADS1292R does not answer: no samples. Check wiring and supply"


@pytest.mark.parametrize("board", WITH_ADS)
def test_a_box_with_the_converter_finds_every_beat_and_every_edge(board: str, tmp_path: Path) -> None:
    keep(tmp_path, front_end=1)
    scenario = Scenario.short(7, 26.0, rest_s=9.0)
    box, data = run_scenario(scenario, RigOptions(board=board, front_end="ads1292r", ads_clock_ppm=-4000), tmp_path)
    session = session_of(data)
    assert session.hello.board == board.replace("ad8232", "ads1292r")
    losses = (session.frames_lost_n, session.frames_bad_n, session.samples_lost_n, session.edges_lost_n)
    assert losses == (0, 0, 0, 0)
    assert session.edges_tick.size == box.world.truth.edges_ns.size == 50
    score = score_session(box, session)
    assert (score.se, score.ppv) == (1.0, 1.0)
    assert score.rms_ms < 1.0
    assert np.array_equal(redetect(session)["peak_us"][: session.beats_us.size], session.beats_us)
    # `hbc box check` asks for samples on a straight line, not on the nominal one, and judges the converter's clock.
    rows = {row.name: row for row in check._line(session)}
    assert {row.status for row in rows.values()} == {"PASS"}
    assert "-0.40 %" in rows["converter's clock"].measured
    period_us = np.diff(session.ecg_us) / np.diff(session.ecg_idx)
    assert np.median(period_us) == pytest.approx(2000 / (1 - 0.004), abs=1.0)
    assert np.ptp(period_us) <= 2.0, "an instant was taken by the program, not by the hardware"


def test_a_sine_keeps_its_millivolts_and_a_steady_offset_goes(tmp_path: Path) -> None:
    keep(tmp_path, front_end=1)
    world = millivolts_world(8.0, lambda at_s: np.sin(2 * np.pi * 10 * at_s))
    with other_firmware(None, world):
        options = RigOptions(front_end="ads1292r", electrode_offset_mv=290)
        _, data = run_scenario(Scenario(seed=3, duration_s=1.0), options, tmp_path)
    session = session_of(data)
    hello = session.hello
    mv = session.ecg_lsb[2000:] * (hello.adc_lsb_nv * 1e-6 / hello.gain)
    assert np.abs(mv).max() == pytest.approx(1.0, rel=0.01)
    assert abs(mv.mean()) < 0.005
    assert not any(one.saturated_n for one in messages_of(data) if isinstance(one, messages.Status.make))
    # For files with an even grid: the same sine at the nominal rate, where its samples would drift by 20 ms in 8 s.
    even = evened(session)
    assert not even.ecg_missed.any()
    assert np.array_equal(np.diff(even.ecg_us), np.full(even.ecg_us.size - 1, 2000))
    phase = np.exp(-2j * np.pi * 10e-6 * (even.ecg_us - session.ecg_us[0]))
    halves = [np.angle(np.mean(even.ecg_lsb[part] * phase[part])) for part in (slice(1000, 2000), slice(2500, 3500))]
    assert abs(halves[0] - halves[1]) / (2 * np.pi * 10) < 20e-6
    leapt_us = np.where(np.arange(session.ecg_us.size) > 700, session.ecg_us + 3 * 86_400_000_000, session.ecg_us)
    with pytest.raises(InputError, match="its times span 72 h, at most 48 h"):
        evened(replace(session, ecg_us=leapt_us))
    holed = evened(replace(session, ecg_missed=np.arange(session.ecg_us.size) == 700))
    assert holed.ecg_missed.sum() in (1, 2, 3)


def test_the_filter_shows_a_step_one_and_a_half_conversions_late() -> None:
    taps = sinc_taps(DigitalSettings(), 4000)
    assert taps.sum() == pytest.approx(1.0)
    assert (taps * np.arange(taps.size)).sum() / 4000 == pytest.approx(0.003)


def test_a_converter_that_does_not_answer_is_told_and_the_trigger_is_timed_all_the_same(tmp_path: Path) -> None:
    keep(tmp_path, front_end=1)
    scenario = Scenario.short(7, 20.0, rest_s=3.0)
    box, data = run_scenario(scenario, RigOptions(front_end="ads1292r", ads_broken=True), tmp_path)
    found = messages_of(data)
    notes = [one.text for one in found if isinstance(one, messages.Note.make)]
    assert notes == ["ADS1292R does not answer: no samples. Check wiring and supply"]
    session = session_of(data)
    assert session.edges_tick.size == box.world.truth.edges_ns.size
    assert session.ecg_missed.all()
    assert session.samples_lost_n == pytest.approx(500 * 19.7, abs=100), "missed samples must be counted"
    assert not session.beats_us.size


def settings_asked(at_s: float, name: str, value: int) -> tuple[tuple[int, str], ...]:
    return ((round(at_s * 1e9), frame(messages.Setting, 1, 77, name, value).hex()),)


def test_choosing_the_front_end_restarts_the_box_with_it(tmp_path: Path) -> None:
    options = RigOptions(front_end="ads1292r", inputs=settings_asked(3.0, "front_end", 1))
    box, data = run_scenario(Scenario(seed=7, duration_s=9.0), options, tmp_path)
    assert [cause for _, cause in box.boots] == [1, 2]
    kept = (tmp_path / "settings.txt").read_text()
    assert "front_end=1\n" in kept
    rows = dict(line.split("=") for line in kept.splitlines()[:-1])
    assert settings_text({name: int(value) for name, value in rows.items()}) == kept, "the bench writes another format"
    assert b"esp32-ad8232" in data
    assert b"esp32-ads1292r" in data
    assert data.index(b"esp32-ad8232") < data.index(b"esp32-ads1292r")


def test_a_board_without_a_capture_unit_refuses_the_converter(tmp_path: Path) -> None:
    options = RigOptions(board="esp32c3-ad8232", inputs=settings_asked(2.0, "front_end", 1))
    box, data = run_scenario(Scenario(seed=7, duration_s=4.0), options, tmp_path)
    assert len(box.boots) == 1
    (ack,) = [one for one in messages_of(data) if isinstance(one, messages.Ack.make)]
    assert ack.status == messages.ACK_OUT_OF_RANGE
    with pytest.raises(ScenarioError, match="no capture unit"):
        run_scenario(Scenario(seed=1, duration_s=1.0), RigOptions(board="esp32c3-ad8232", front_end="ads1292r"))


MISTAKES = {
    "the other channel": ("ads1292r.py", "frame[6]", "frame[3]"),
    "no time to decode": ("ads1292r.py", "DECODE_US = const(10)", "DECODE_US = const(0)"),
    "data mode before the registers": ("ads1292r.py", "        self._command(SDATAC)\n        self._write",
                                       "        self._write"),
    "offset not followed": ("ads1292r.py", "        _begin(frame, self._offset)", "        pass"),
    "samples stamped by the program": ("drdy_sampler.py", "        self._capture_clock.locate(low, high, at)",
                                       "        at.set(self._clock)"),
    "missed conversions are forgotten": ("drdy_sampler.py", "        if seen_n > 1:", "        if False:"),
}  # fmt: skip


LATE_NOW_AND_THEN = RigOptions(front_end="ads1292r", gc_pause_us=5000, gc_every_us=400_000, electrode_offset_mv=290)
SHORT = Scenario(seed=7, duration_s=6.5)


def test_nothing_is_wrong_with_samples_on_a_processor_that_is_late_now_and_then(tmp_path: Path) -> None:
    keep(tmp_path, front_end=1)
    assert sound(SHORT, LATE_NOW_AND_THEN, tmp_path)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_way_of_the_samples_is_seen(mistake: str, tmp_path: Path) -> None:
    """The test above on a box with one mistake."""
    name, right, wrong = MISTAKES[mistake]
    keep(tmp_path, front_end=1)
    flash_folder(tmp_path)
    path = tmp_path / ("hbc_boards" if name == "ads1292r.py" else "hbc_fw") / name
    source = path.read_text()
    assert right in source, f"{name} has no {right!r} any more: renew this mutation"
    path.write_text(source.replace(right, wrong))
    assert not sound(SHORT, LATE_NOW_AND_THEN, tmp_path, install=False)


def sound(scenario: Scenario, options: RigOptions, flash: Path, *, install: bool = True) -> bool:
    """Whether beats, instants and counts of a box are what they must be."""
    try:
        with rig(scenario, options, flash=flash, install=install) as box:
            data = read_all(box)
    except RigError:
        return False
    try:
        session = session_of(data)
    except SessionError:  # it never came to introducing itself
        return False
    if session.ecg_us.size < 1000 or not session.beats_us.size:
        return False
    taken = ~session.ecg_missed
    step_us = np.diff(session.ecg_us[taken]) / np.diff(session.ecg_idx[taken])
    truth_s = box.world.truth.beats_s
    truth_s = truth_s[(truth_s > 3.0) & (truth_s < 5.5)]
    beats_s = session.beats_us * 1e-6 - box.boot_s - box.world.truth.afe_delay_s
    near = [np.abs(beats_s - beat_s).min() < 0.004 for beat_s in truth_s]
    early = session.ecg_us < 5.5e6
    quiet = np.abs(session.ecg_lsb[early & taken]).max() < 8000
    lost = session.samples_lost_n > 5
    return bool(np.ptp(step_us) < 3.0 and all(near) and quiet and lost)
