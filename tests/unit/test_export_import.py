"""Imports and straps go out as RR text; what else they hold is open already, and that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hbc_host.cli import app
from hbc_host.errors import InputError
from hbc_host.exchange.export import FORMATS, export_sessions
from hbc_host.imports import import_one
from hbc_host.io.import_folder import read_import
from hbc_host.io.recording import Labels, ReadOptions
from support_import import write_hrv_logger, write_rr
from typer.testing import CliRunner


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    folder = tmp_path / "imported"
    import_one(write_hrv_logger(tmp_path / "a.csv", lost_ms=9000.0), folder, ReadOptions(), labels=Labels("Jane Doe"))
    return folder


def test_the_rr_text_of_an_import_holds_its_intervals_but_for_those_across_a_gap(
    imported: Path, tmp_path: Path
) -> None:
    recording = read_import(imported)
    assert recording.beats_s is not None
    assert recording.gaps_s
    done = export_sessions("rr", [imported], tmp_path / "out", subject="P-1")
    intervals_ms = 1e3 * np.diff(recording.beats_s)
    inside = [
        not any(start < at and end > before for start, end in recording.gaps_s)
        for before, at in zip(recording.beats_s[:-1], recording.beats_s[1:], strict=True)
    ]
    written_ms = np.loadtxt(next(path for path in done.files if path.suffix == ".txt"))
    assert 0 < written_ms.size < intervals_ms.size
    np.testing.assert_allclose(written_ms, intervals_ms[inside], atol=1e-3)


def test_nothing_that_a_person_typed_goes_along(imported: Path, tmp_path: Path) -> None:
    done = export_sessions("rr", [imported], tmp_path / "out")
    assert done.names[0].startswith("rec-")
    assert not any(b"Jane" in path.read_bytes() for path in done.files)


def test_the_rr_text_is_read_again_as_the_same_beats(imported: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    import_one(write_rr(tmp_path / "rr.txt"), plain, ReadOptions(), labels=Labels())
    done = export_sessions("rr", [plain], tmp_path / "out")
    again = tmp_path / "again"
    import_one(next(path for path in done.files if path.suffix == ".txt"), again, ReadOptions(), labels=Labels())
    first, second = read_import(plain).beats_s, read_import(again).beats_s
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(np.diff(second), np.diff(first), atol=2e-6)


@pytest.mark.parametrize("export_format", [name for name in FORMATS if name != "rr"])
def test_a_format_that_needs_the_boxs_samples_says_what_an_import_offers_instead(
    export_format: str, imported: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["export", export_format, str(imported), str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "hbc export rr" in result.output
    assert not (tmp_path / "out").exists()


def test_two_kinds_at_once_and_one_import_twice_are_refused(imported: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.mkdir()
    with pytest.raises(InputError, match="one after the other"):
        export_sessions("rr", [imported, session], tmp_path / "out")
    with pytest.raises(InputError, match="are both rec-"):
        export_sessions("rr", [imported, imported], tmp_path / "out")
    done = export_sessions("rr", [imported, imported], tmp_path / "out", subject="P-1")
    assert done.names == ("P-1-v01", "P-1-v02")
