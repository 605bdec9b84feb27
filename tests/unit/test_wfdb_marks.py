"""Annotations that WFDB programs read back, and a person's marks as they read them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.errors import InputError
from hbc_host.io.wfdb_marks import annotation_path, read_marks, write_annotation
from hbc_host.io.wfdb_record import quiet_wfdb


def read_back(file: Path) -> Any:
    with quiet_wfdb() as wfdb:
        return wfdb.rdann(str(file.with_suffix("")), file.suffix[1:])


@pytest.mark.parametrize("rate_hz", [360.0, 128.5, 500.0])
def test_wfdb_reads_back_the_sample_the_symbol_and_the_rate(tmp_path: Path, rate_hz: float) -> None:
    # The first sample, neighbours at once, and a pause longer than the format's 10 and 16 bits.
    position_idx = np.array([0.0, 100.4, 100.6 + 99, 2_000.5001, 90_000.2, 5_000_000.0])
    write_annotation(tmp_path / "beats.atr", position_idx, rate_hz)
    found = read_back(tmp_path / "beats.atr")
    assert found.sample.tolist() == [0, 100, 200, 2001, 90_000, 5_000_000]
    assert found.symbol == ["N"] * 6
    assert found.fs == rate_hz
    assert set(found.subtype) == set(found.num) == {0}
    assert [path.name for path in tmp_path.iterdir()] == ["beats.atr"]  # it needs no header


def test_what_we_wrote_is_what_we_read(tmp_path: Path) -> None:
    position_idx = np.arange(10.0, 4000.0, 77.0)
    write_annotation(tmp_path / "r-1.atr", position_idx, 250.0)
    marks = read_marks(tmp_path / "r-1", 250.0)
    assert marks is not None
    assert marks.beats_s == pytest.approx(position_idx / 250.0)
    assert marks.unjudged_s == ()


def test_only_beats_count_and_flutter_is_not_judged(tmp_path: Path) -> None:
    symbols = ["+", "N", "V", "~", "[", "!", "]", "N", "|", "A", "["]
    with quiet_wfdb() as wfdb:
        wfdb.wrann("r", "atr", 100 * np.arange(1, 12), symbols, fs=100, write_dir=str(tmp_path))
    marks = read_marks(tmp_path / "r", 100.0)
    assert marks is not None
    assert marks.beats_s.tolist() == [2.0, 3.0, 8.0, 10.0]
    assert marks.unjudged_s == ((5.0, 7.0), (11.0, float("inf")))


def test_a_record_without_annotations_has_no_marks(tmp_path: Path) -> None:
    assert read_marks(tmp_path / "r", 100.0) is None


def test_an_annotation_file_of_another_kind_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "r.atr").write_bytes(b"\xff\xec" * 3)
    with warnings.catch_warnings(), pytest.raises(InputError, match=r"r\.atr: annotations cannot be read; copy"):
        read_marks(tmp_path / "r", 100.0)


@pytest.mark.parametrize(
    ("given", "meant"), [("out/beats", "out/beats.atr"), ("beats.atr", "beats.atr"), ("b_1-2.qrs", "b_1-2.qrs")]
)
def test_a_stem_gets_the_usual_ending(given: str, meant: str) -> None:
    assert annotation_path(Path(given)) == Path(meant)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("my beats", "letters, digits, - and _"),
        ("my.beats.atr", "letters, digits, - and _"),
        ("beats.a1", "an ending of letters only"),
        ("beats.hea", "no annotation file"),
        ("beats.DAT", "no annotation file"),
    ],
)
def test_a_name_that_wfdb_cannot_open_is_refused(given: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        annotation_path(Path(given))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.*No such file.*choose another place with --atr"):
        write_annotation(tmp_path / "nowhere" / "b.atr", np.array([1.0]), 100.0)


def test_no_beats_are_no_annotations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 beats"):
        write_annotation(tmp_path / "b.atr", np.empty(0), 100.0)
    assert list(tmp_path.iterdir()) == []
