"""The trigger generator: its programme on both interpreters, and its firmware on a second simulated chip."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil import wiring
from hbc_hil.afe import VOLT_PER_LSB
from hbc_hil.bench.dac_ecg import recorded, synthetic
from hbc_hil.bench.generator_link import GeneratorLink
from hbc_hil.bench.generator_sim import FIRMWARE, SimulatedGenerator, flash_generator, simulated_generator
from hbc_hil.errors import GeneratorError
from hbc_hil.generator import programme as device
from hbc_hil.world import CHUNK, EVENT, HEADER
from hbc_host.transport import SerialTransport

ON_DEVICE = Path(__file__).parent / "device" / "programme_on_device.py"
DASH: dict[str, Any] = {"burst_us": 100_000, "burst_n": 50, "cycle_us": 16_000_000}
ITBS: dict[str, Any] = {
    "burst_us": 200_000, "burst_n": 10, "pulses_n": 3, "pulse_us": 20_000, "cycle_us": 10_000_000,
}  # fmt: skip
LONG_1KHZ: dict[str, Any] = {"burst_us": 1000, "burst_n": 3000, "cycle_us": 6_000_000}


def lists_of(programme: dict[str, Any]) -> list[tuple[int, int, list[int], list[int]]]:
    full = device.complete(programme)
    return list(device.cut(device.train_pulses(full, 0), full["active_high"]))


def edges_of(durations: list[int], levels: list[int], active: int) -> list[tuple[int, int]]:
    """Active stretches that a list of durations makes, by adding up."""
    stretches: list[tuple[int, int]] = []
    at, before = 0, 1 - active
    for ticks, level in zip(durations, levels, strict=True):
        if level == active and before != active:
            stretches.append((at, 0))
        if level != active and before == active:
            stretches[-1] = (stretches[-1][0], at - stretches[-1][0])
        at, before = at + ticks, level
    if before == active:
        stretches[-1] = (stretches[-1][0], at - stretches[-1][0])
    return stretches


def test_theta_bursts_by_hand() -> None:
    full = device.complete(ITBS)
    starts = [at for at, _ in device.train_pulses(full, 0)]
    assert starts[:7] == [0, 20_000, 40_000, 200_000, 220_000, 240_000, 400_000]
    assert (len(starts), starts[-1]) == (30, 1_840_000)


@pytest.mark.parametrize(
    "programme", [DASH, ITBS, LONG_1KHZ, {"offsets_us": [0, 70, 5_000_000], "cycle_us": 6_000_000}]
)
@pytest.mark.parametrize("active_high", [1, 0])
def test_lists_of_durations_add_up_to_the_pulses(programme: dict[str, Any], active_high: int) -> None:
    programme = programme | {"active_high": active_high}
    pulses = device.train_pulses(device.complete(programme), 0)
    played: list[tuple[int, int]] = []
    for start_us, pulses_n, durations, levels in lists_of(programme):
        assert len(durations) == len(levels) <= device.DURATIONS_N
        assert min(durations) >= 1, "a duration of zero ends a transmission"
        assert max(durations) <= device.DURATION_MAX
        stretches = edges_of(durations, levels, active_high)
        assert len(stretches) == pulses_n
        played += [(start_us + at, width) for at, width in stretches]
    assert played == pulses


def test_a_train_too_long_for_one_list_is_cut_between_pulses() -> None:
    lists = lists_of(LONG_1KHZ)
    assert len(lists) > 1
    assert sum(pulses_n for _, pulses_n, _, _ in lists) == 3000
    assert len(lists_of(DASH)) == len(lists_of(ITBS)) == 1, "the trains of the protocols are one list each"


def test_faults_are_part_of_the_programme() -> None:
    base = {"burst_us": 100_000, "burst_n": 4, "cycle_us": 1_000_000, "trains_n": 2, "width_us": 50}
    bounced = device.train_pulses(device.complete(base | {"bounces_n": 2, "bounce_us": 40}), 0)
    assert bounced[:3] == [(0, 20), (40, 20), (80, 50)]
    runts = device.train_pulses(device.complete(base | {"runt_every": 2, "runt_us": 300}), 0)
    assert [pulse for pulse in runts if pulse[1] == 1] == [(100_300, 1), (300_300, 1)]
    stuck = device.complete(base | {"stuck_train": 1})
    assert device.train_pulses(stuck, 1) == [(0, 300_050)]
    assert len(device.train_pulses(stuck, 0)) == 4


@pytest.mark.parametrize(
    ("programme", "why"),
    [
        ({"colour": 1}, "no field colour"),
        ({"burst_n": 0}, "burst_n = 0 is outside 1"),
        ({"width_us": 2.5}, "width_us = 2.5"),
        ({"burst_us": 40, "burst_n": 2, "width_us": 50}, "pulse 1 begins before"),
        ({"burst_us": 100_000, "burst_n": 20, "cycle_us": 1_000_000}, "longer than cycle_us"),
        ({"burst_n": 200, "pulses_n": 200, "burst_us": 1000, "pulse_us": 4}, "40000 pulses a train"),
    ],
)
def test_a_programme_that_cannot_be_played_says_why(programme: dict[str, Any], why: str) -> None:
    with pytest.raises(device.ProgrammeError, match=re.escape(why)):
        device.complete(programme)


def test_both_interpreters_make_the_same_of_a_programme(micropython: str, tmp_path: Path) -> None:
    flash_generator(tmp_path)
    programmes = [DASH, ITBS, LONG_1KHZ | {"bounces_n": 1}, ITBS | {"active_high": 0, "runt_every": 3}, {"x": 1}]
    run = subprocess.run(
        [micropython, str(ON_DEVICE), str(tmp_path)], input="\n".join(map(json.dumps, programmes)) + "\n",
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(programmes)
    assert "no field x" in answers.pop()["error"]
    for programme, answer in zip(programmes, answers, strict=False):
        full = device.complete(programme)
        assert answer["pulses"] == [list(pulse) for pulse in device.train_pulses(full, 0)]
        assert answer["lists"] == [list(part) for part in lists_of(programme)]


def test_pins_are_those_of_the_wiring_and_chips_without_a_dac_say_so() -> None:
    rows = dict(re.findall(r'\("(ESP32\w*)", \((\d+, -?\d+), ', (FIRMWARE / "board.py").read_text("utf-8")))
    pins = {chip: tuple(int(pin) for pin in row.split(", ")) for chip, row in rows.items()}
    assert pins["ESP32"] == (wiring.TRIGGER_OUT_TO_BOX_IN[0], wiring.ECG_DAC_TO_BOX_ADC[0])
    assert pins["ESP32"][1] in (25, 26)
    assert pins["ESP32S2"][1] in (17, 18)
    assert {pins[chip][1] for chip in ("ESP32S3", "ESP32C3", "ESP32C6")} == {-1}


# --- its firmware on a simulated chip --------------------------------------------------------------------------------


@contextmanager
def generator(duration_s: float, machine: str = "ESP32") -> Iterator[tuple[GeneratorLink, list[bytes]]]:
    """A simulated generator, the host's link to it, and the world that it makes."""
    chunks: list[bytes] = []

    def collect(device: SimulatedGenerator) -> None:
        chunks.extend(device.chunks())

    with simulated_generator(duration_s, machine=machine) as running:
        reader = threading.Thread(target=collect, args=(running,), daemon=True)
        with GeneratorLink(SerialTransport(running.port), answer_s=300.0) as link:
            yield link, chunks
            reader.start()
            until_s = time.monotonic() + 300.0
            while reader.is_alive():
                assert time.monotonic() < until_s, "the generator does not come to an end"
                link.poll()


def world_of(chunks: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """(events, volts at 4000 Hz)."""
    assert HEADER.unpack(chunks[0]) == (b"HBCW", 1, 4000, 0)
    events, volts = [], []
    end_ns = 0
    for chunk in chunks[1:-1]:
        start_ns, samples_n, events_n = CHUNK.unpack_from(chunk)
        assert start_ns == end_ns, "chunks follow each other without a gap"
        end_ns = start_ns + (samples_n - 1) * 250_000
        volts.append(np.frombuffer(chunk, "<u2", samples_n, CHUNK.size)[:-1])
        part = np.frombuffer(chunk, EVENT, events_n, CHUNK.size + 2 * samples_n)
        assert np.all((part["t_ns"] >= start_ns) & (part["t_ns"] < end_ns))
        events.append(part)
    assert CHUNK.unpack(chunks[-1]) == (end_ns, 0, 0)
    return np.concatenate(events), np.concatenate(volts) * VOLT_PER_LSB


def test_edges_come_when_the_log_says_and_exactly_as_commanded() -> None:
    programme = ITBS | {"trains_n": 2, "cycle_us": 4_000_000}
    table = bytes([10] * 500 + [200] * 500)
    with generator(12.0) as (link, chunks):
        assert link.hello()["machine"] == "ESP32"
        assert link.load(programme) == {"ok": "load", "trains_n": 2, "pulses_n": 30}
        link.load_ecg(table, 1000)
        at_us = link.start(1.5)
    log = link.log()
    assert log.done
    assert [(played.train_n, played.pulses_n) for played in log.lists] == [(0, 30), (1, 30)]
    events, volts = world_of(chunks)
    rising_us = events["t_ns"][events["level"] == 1] * 1e-3 + 250_000
    falling_us = events["t_ns"][events["level"] == 0] * 1e-3 + 250_000
    np.testing.assert_allclose(falling_us - rising_us, 50.0, atol=1e-6)
    list_n, after_us = log.edges_us()
    assert rising_us.size == list_n.size == 60
    for k, played in enumerate(log.lists):
        mine = rising_us[list_n == k]
        np.testing.assert_allclose(mine - mine[0], after_us[list_n == k], atol=1e-6)
        assert played.before_us <= mine[0] <= played.after_us, "the log brackets the first edge"
        assert played.after_us - played.before_us < 1000
        assert 0 <= played.before_us - (at_us + k * 4_000_000) < 500
    assert len(log.ecg_turns_us) > 8
    assert log.ecg_late_max_us < 1000
    steps = np.flatnonzero(np.abs(np.diff(volts)) > 1.0)
    assert np.all(np.abs(np.diff(steps) - 2000) <= 3), "half a second high, half a second low, on an even grid"
    assert volts.max() == pytest.approx(200 / 255 * 3.3, abs=1e-3)


def test_an_inverted_generator_idles_high_and_a_chip_without_a_dac_refuses_an_ecg() -> None:
    with generator(2.5, "ESP32S3") as (link, chunks):
        assert link.hello()["dac_gpio"] == -1
        with pytest.raises(GeneratorError, match="no DAC"):
            link.load_ecg(bytes(10), 1000)
        link.load({"burst_n": 3, "trains_n": 1, "active_high": 0})
        link.start(0.5)
    events, _ = world_of(chunks)
    assert events["level"].tolist() == [1, 0, 1, 0, 1, 0, 1]
    assert events["t_ns"][0] < 50_000_000


def test_nonsense_is_answered_with_its_reason_and_harms_nothing() -> None:
    with generator(1.0) as (link, _):
        for request, why in (
            ({"cmd": "dance"}, "no command dance"),
            ({"cmd": "load"}, "KeyError"),
            ({"cmd": "load", "programme": {"width_us": 0}}, "width_us = 0 is outside"),
            ({"cmd": "table", "n": 10**6, "rate_hz": 1000}, "at most"),
            ({"cmd": "fill", "at": 5, "hex": "00"}, "do not fit"),
        ):
            with pytest.raises(GeneratorError, match=re.escape(why)):
                link.ask(request)
        link._pipe.write(b"not json\n" + b"x" * 1200 + b"\n")
        complaints = []
        for _ in range(4):
            try:
                link.hello()
                break
            except GeneratorError as error:
                complaints.append(str(error))
        assert 1 <= len(complaints) <= 3, complaints
        assert all("syntax error" in text or "more than 1000 bytes" in text for text in complaints)
        link.load({"trains_n": 0})
        link.start(0.0)


def test_the_host_refuses_a_bad_programme_before_sending_it() -> None:
    with pytest.raises(GeneratorError, match="burst_n = 0"):
        GeneratorLink(SerialTransport("none")).load({"burst_n": 0})


class Silent:
    """A pipe to nobody, or one that says the same for ever."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    def open(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...

    def read(self) -> bytes:
        data, self._data = self._data, b""
        return data


def test_a_silent_generator_and_a_log_with_a_hole_are_errors() -> None:
    times = iter(range(100))
    with pytest.raises(GeneratorError, match="no answer from the generator to hello within 10 s"):
        GeneratorLink(Silent(), clock=lambda: float(next(times))).hello()
    hole = b'{"list": 1, "train": 0, "start_us": 0, "before_us": 1, "after_us": 2, "pulses_n": 3}\n'
    with pytest.raises(GeneratorError, match=r"list 1 .* came where 0 was expected"):
        GeneratorLink(Silent(hole)).poll()
    GeneratorLink(Silent(b"rst:0x1 (POWERON_RESET)\r\n[1, 2]\n{half")).poll()


def test_tables_for_the_dac_hold_the_beats_that_they_claim() -> None:
    for ecg in (synthetic(3), recorded("toy", seconds=12.0)):
        volts = np.frombuffer(ecg.table, np.uint8) / 255 * 3.3
        for beat_s in ecg.beats_s[1:-1]:
            around = volts[round((beat_s - 0.08) * ecg.rate_hz) : round((beat_s + 0.08) * ecg.rate_hz)]
            assert around.max() > np.median(volts) + 0.3
    clean = synthetic(3)
    bytes_played = np.frombuffer(clean.table, np.uint8)
    begins = [round(beat_s * clean.rate_hz) - 20 for beat_s in clean.beats_s[1:-1]]
    peaks = [begin + int(np.argmax(bytes_played[begin : begin + 40])) for begin in begins]
    np.testing.assert_allclose(np.array(peaks) / clean.rate_hz, clean.beats_s[1:-1], atol=0.0025)
    assert abs(int(clean.table[0]) - int(clean.table[-1])) <= 3, "the end fits the beginning"
