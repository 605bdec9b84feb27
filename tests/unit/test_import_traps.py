"""What goes wrong between programs: units, decimal signs, encodings, headings, clocks: read right, or refused."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hbc_host.errors import InputError
from hbc_host.io.grid import even_grid
from hbc_host.io.levels import marks_that_trigger, rising_edges
from hbc_host.io.recording import Choice, ReadOptions, Recording, parse_choice
from hbc_host.io.registry import read_recording
from support_import import TRUTH, write_csv, write_ecg_text, write_rr

TRIGGERS_S = np.array(TRUTH.triggers_s)


def assert_right(recording: Recording, *words: str) -> None:
    """The ECG and the triggers of the truth, and notes that hold the words."""
    assert recording.ecg is not None
    assert recording.triggers_s is not None
    assert recording.ecg.rate_hz == pytest.approx(250.0)
    assert np.abs(recording.ecg.ecg_mv - TRUTH.ecg_mv).max() < 1e-5
    assert np.abs(recording.triggers_s - TRIGGERS_S).max() < 1e-9
    for word in words:
        assert any(word in note for note in recording.notes), (word, recording.notes)


def recoded(path: Path, change: Callable[[str], bytes]) -> Path:
    path.write_bytes(change(path.read_text("utf-8")))
    return path


@pytest.mark.parametrize(
    ("divider", "comma", "word"),
    [(";", False, "time"), (";", True, "decimal commas"), ("\t", True, "decimal commas"), ("   ", False, "time")],
)
def test_dividers_and_decimal_commas_are_found(tmp_path: Path, divider: str, comma: bool, word: str) -> None:
    heading = divider.join(["time_ms", "ecg_uv", "trigger"])
    path = write_csv(tmp_path / "t.csv", heading=heading, divider=divider, comma=comma)
    assert_right(read_recording(path), word)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: codecs.BOM_UTF8 + text.encode(), "time"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text.encode("utf-16-le"), "read as UTF-16-LE"),
        (lambda text: text.encode("utf-16-be"), "read as UTF-16-BE"),
        (lambda text: text.replace("\n", "\r\n").encode(), "time"),
        (lambda text: text.replace("\n", "\r").encode(), "time"),
        (lambda text: text.replace("ecg_uv", "ECG [\N{MICRO SIGN}V]").encode("cp1252"), "Windows-1252"),
        (lambda text: text.replace("ecg_uv", "ECG (\N{MICRO SIGN}V)").encode(), "ecg"),
        (lambda text: text.replace("\n", ",\n").encode(), "time"),  # a divider at the end of every line
        (lambda text: ("Patient: X\nDevice: Y, rev 2\n\n" + text).encode(), "time"),
        (lambda text: "".join(f'"{line}"\n'.replace(",", '","') for line in text.split()).encode(), "time"),
    ],
)
def test_encodings_line_ends_quotes_and_lines_before_the_table_do_no_harm(
    tmp_path: Path, change: Callable[[str], bytes], word: str
) -> None:
    assert_right(read_recording(recoded(write_csv(tmp_path / "t.csv"), change)), word)


def test_a_last_line_that_is_cut_off_is_left_out_and_told(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv")
    path.write_text(path.read_text() + "60000.0,12")
    assert_right(read_recording(path), "the last line is cut off")


@pytest.mark.parametrize(
    ("factor", "shown"), [(1.0, "mV"), (1e3, "uV"), (1e-3, "V")], ids=["millivolts", "microvolts", "volts"]
)
def test_an_ecg_without_a_unit_is_taken_by_its_size_and_told(tmp_path: Path, factor: float, shown: str) -> None:
    path = tmp_path / "ecg.txt"
    path.write_text("\n".join(f"{value * factor:.7f}" for value in TRUTH.ecg_mv))
    recording = read_recording(path, ReadOptions(rate_hz=250.0))
    assert recording.ecg is not None
    assert np.abs(recording.ecg.ecg_mv - TRUTH.ecg_mv).max() < 1e-3
    assert any(f"so it is taken as {shown}" in note for note in recording.notes)


def test_a_unit_that_is_stated_is_never_overruled_by_size(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", heading="time_ms,ecg_mv,trigger")  # microvolts under a wrong heading
    recording = read_recording(path)
    assert recording.ecg is not None
    assert recording.ecg.ecg_mv.max() > 1000.0
    said = read_recording(path, ReadOptions(choices={"ecg": Choice("ecg_mv", "uV")}))
    assert_right(read_recording(path, ReadOptions(choices=dict([parse_choice("ecg=2:uV")]))))
    assert said.ecg is not None
    assert said.ecg.ecg_mv.max() < 2.0
    with pytest.raises(InputError, match="not a voltage"):
        read_recording(path, ReadOptions(choices={"ecg": Choice("ecg_mv", "mmHg")}))


@pytest.mark.parametrize(("unit", "factor"), [("s", 1e-3), ("ms", 1.0), ("us", 1e3), ("ns", 1e6)])
def test_a_time_column_without_a_unit_is_taken_by_its_steps_and_told(tmp_path: Path, unit: str, factor: float) -> None:
    rows = [f"{at * 4 * factor:.6f},{value:.6f}" for at, value in enumerate(TRUTH.ecg_mv)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["time,ecg_mv", *rows]))
    recording = read_recording(path)
    assert recording.ecg is not None
    assert recording.ecg.rate_hz == pytest.approx(250.0)
    assert any(f"so it is taken as {unit}" in note for note in recording.notes)


def test_a_rate_that_the_stamps_contradict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"time stamps are 250 Hz, the stated sampling rate is 500 Hz"):
        read_recording(write_csv(tmp_path / "t.csv"), ReadOptions(rate_hz=500.0))


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.234,5", 1234.5), ("1234,5", 1234.5), ("1'234.5", 1234.5), ("1\u00a0234,5", 1234.5), ('"1,234.5"', 1234.5)],
)
def test_signs_that_group_digits_are_taken_off(tmp_path: Path, cell: str, value: float) -> None:
    divider = "," if '"' in cell else ";"
    rows = [divider.join([str(4 * at), cell if at % 200 == 100 else "7", "0"]) for at in range(3000)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([divider.join(["time_ms", "ecg_uv", "trigger"]), *rows]), "utf-8")
    recording = read_recording(path)
    assert recording.ecg is not None
    assert recording.ecg.ecg_mv.max() == pytest.approx(value / 1e3)
    assert recording.ecg.ecg_mv.min() == pytest.approx(0.007)


def test_one_comma_a_line_is_a_question_and_never_a_guess(tmp_path: Path) -> None:
    path = write_ecg_text(tmp_path / "ecg.txt")
    path.write_text(path.read_text().replace(".", ","))
    with pytest.raises(InputError, match=r"a decimal comma or two columns; add --decimal-comma"):
        read_recording(path, ReadOptions(rate_hz=250.0))
    recording = read_recording(path, ReadOptions(rate_hz=250.0, decimal_comma=True))
    assert recording.ecg is not None
    assert np.abs(recording.ecg.ecg_mv - TRUTH.ecg_mv).max() < 1e-5


def test_repeated_and_missing_stamps_become_gaps_and_notes(tmp_path: Path) -> None:
    lines = write_csv(tmp_path / "t.csv").read_text().split("\n")
    lines = [*lines[:500], lines[499], lines[499], *lines[500:3000], *lines[3100:]]
    path = tmp_path / "holed.csv"
    path.write_text("\n".join(lines))
    recording = read_recording(path)
    assert recording.gaps_s == ((2999 / 250, 3099 / 250),)
    assert_notes(recording, "2 samples with a repeated time stamp", "100 samples are missing in 1 places")
    assert recording.triggers_s is not None
    assert np.abs(recording.triggers_s - TRIGGERS_S).max() < 1e-9


def assert_notes(recording: Recording, *words: str) -> None:
    for word in words:
        assert any(word in note for note in recording.notes), (word, recording.notes)


def test_missing_values_are_gaps_whatever_word_stands_for_them(tmp_path: Path) -> None:
    words = ["NaN", "", "n/a", "NA", "null"]
    rows = [
        f"{4 * at},{words[at - 700] if 700 <= at < 705 else f'{value:.6f}'}" for at, value in enumerate(TRUTH.ecg_mv)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["time_ms,ecg_mv", *rows]))
    recording = read_recording(path)
    assert recording.gaps_s == ((2.8, 2.82),)
    assert recording.ecg is not None
    assert np.all(recording.ecg.ecg_mv[700:705] == recording.ecg.ecg_mv[699])


def test_stamps_that_come_in_packets_are_spread_evenly_and_told() -> None:
    packet_s = np.repeat(np.arange(100) * 0.1, 13)  # 13 samples share the stamp of their packet
    grid = even_grid(Path("x"), packet_s, None)
    assert grid.rate_hz == pytest.approx(130.0, rel=0.02)
    assert grid.samples_n == packet_s.size
    assert any("packets" in note for note in grid.notes)
    late_s = np.concatenate([packet_s, packet_s + 15.0])
    assert even_grid(Path("x"), late_s, None).samples_n == pytest.approx(25.0 * 130.0, rel=0.02)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ecg", "is not ROLE=COLUMN"),
        ("pulse=ch1", "role of ecg, time, rr, beat, trigger"),
        ("ecg=", "is not ROLE=COLUMN"),
    ],
)
def test_a_mapping_that_names_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_choice(text)


def test_a_trigger_channel_may_be_codes_analogue_or_inverted_but_not_noise() -> None:
    at = np.arange(5000)
    clean = (at % 500 < 5).astype(np.float64)
    rng = np.random.default_rng(3)
    first = np.arange(500, 5000, 500)
    assert rising_edges(clean, "c")[0].tolist() == first.tolist()
    assert rising_edges(5.0 - 5.0 * clean + rng.normal(0, 0.05, at.size), "c")[0].tolist()[-9:] == first.tolist()
    assert rising_edges(3.3 * clean + rng.normal(0, 0.05, at.size), "c")[0].tolist() == first.tolist()
    coded = np.where(at % 500 < 5, 7.0, np.where(at % 500 < 10, 9.0, 2.0))  # from code to code is a trigger, too
    assert rising_edges(coded, "c")[0].size == 2 * 9 + 1
    assert rising_edges(np.zeros(100), "c")[0].size == 0
    with pytest.raises(InputError, match="it is no trigger channel"):
        rising_edges(rng.normal(size=5000), "c")


def test_only_marks_that_are_named_as_triggers_are_taken_unless_a_person_says_which() -> None:
    times_s, texts = [1.0, 2.0, 3.0, 3.0, 4.0], ["TMS start", "TMS", "TMS", "tms", "Blink"]
    found_s, source, notes = marks_that_trigger(times_s, texts, "", "annotations")
    assert found_s is not None
    assert found_s.tolist() == [2.0, 3.0]
    assert source == "annotations 'TMS', 'tms'"
    assert any("left out" in note for note in notes)
    chosen_s, _, _ = marks_that_trigger(times_s, texts, "bl*", "annotations")
    assert chosen_s is not None
    assert chosen_s.tolist() == [4.0]
    assert marks_that_trigger(times_s, texts, "Beep", "annotations")[0] is None


def test_rr_with_a_unit_in_its_heading_needs_no_guess(tmp_path: Path) -> None:
    path = write_rr(tmp_path / "rr.txt", unit="s")
    path.write_text("RR (s)\n" + path.read_text())
    recording = read_recording(path)
    assert recording.units == "RR in s"
    assert not any("not stated" in note for note in recording.notes)
