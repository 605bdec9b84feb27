"""What an export says: times, gaps, names that stay here, the same bytes each time, and errors that help."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.clinic.visit import Visit
from hbc_host.errors import InputError
from hbc_host.exchange import naming
from hbc_host.exchange.content import BEAT, GAP, PULSE, TRAIN, Content, content_of
from hbc_host.exchange.export import FORMATS, export_sessions
from hbc_host.exchange.naming import named_sessions
from hbc_host.exchange.wfdb_out import write_wfdb
from hbc_host.io.wfdb_record import quiet_wfdb
from hbc_host.manifest import write_manifest
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.runs import session_runs
from hbc_host.session import META_NAME, Session, SessionMeta, load_session, session_hash
from hbc_host.sources import event_runs
from hbc_host.trains import parse_protocol
from hbc_wire import messages
from support import BLOCK_N, FIRST_US, RATE_HZ, Sent, beat_times_us, box_frames, edge_times_us, stream_of
from typer.testing import CliRunner

OLD = Path(__file__).resolve().parents[1] / "data" / "session-0.1.0"
DURATION_S = 40.0
LOST = range(200, 220)  # blocks of 50 ms: one second
SECRET = "Jane Q. Doe"


def save(folder: Path, sent: list[Sent], **labels: Any) -> Path:
    known: dict[str, Any] = {
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "title": SECRET, "protocol": "dash",
        "sites": ("5cmL", "beamF3L"), "intensities_pct": (40.0,), "host_version": "0.1.0", "port": "/dev/ttyJaneDoe",
    }  # fmt: skip
    folder.mkdir(mode=0o700)
    (folder / META_NAME).write_text(SessionMeta(**(known | labels)).to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    data = stream_of(sent)
    for n, at in enumerate(range(0, len(data), 700)):
        writer.append(Chunk(FROM_BOX, 100.0 + 0.05 * n, data[at : at + 700]))
    writer.close()
    return folder


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of known times, of which a second of ECG was lost on the way."""
    sent = box_frames(DURATION_S)
    blocks = [place for place, one in enumerate(sent) if one.message is messages.EcgBlock]
    lost = {blocks[n] for n in LOST}
    folder = save(tmp_path_factory.mktemp("holed") / "s", [one for n, one in enumerate(sent) if n not in lost])
    write_manifest(folder, ended="stopped", reason="test")
    return folder


@pytest.fixture(scope="module")
def content(holed: Path) -> Content:
    return content_of(named_sessions([holed], "P-014")[0], export_format="csv")


def test_event_times_are_the_boxs_own_to_a_tenth_of_a_microsecond(content: Content) -> None:
    zero_us = content.provenance["zero_device_s"] * 1e6
    beats_us = [event.onset_s * 1e6 + zero_us for event in content.of_kind(BEAT)]
    np.testing.assert_allclose(beats_us, beat_times_us(DURATION_S), atol=0.2)
    edges_us = [at_us + n % 80 / 80 for n, at_us in enumerate(edge_times_us(DURATION_S))]
    np.testing.assert_allclose([event.onset_s * 1e6 + zero_us for event in content.of_kind(PULSE)], edges_us, atol=0.2)


def test_a_place_of_the_grid_is_less_than_a_sample_from_the_instant_of_its_sample(content: Content) -> None:
    error_s = np.abs(content.sample_s - content.sample_grid_idx / RATE_HZ)
    assert 0 < error_s.max() < 1 / RATE_HZ
    assert content.provenance["sample_instant_error_max_us"] == pytest.approx(error_s.max() * 1e6, abs=0.2)


def test_lost_samples_are_missing_and_covered_by_a_gap_and_nothing_else_is(content: Content, holed: Path) -> None:
    first, end = LOST.start * BLOCK_N, LOST.stop * BLOCK_N
    assert np.flatnonzero(content.missing[: int(DURATION_S * RATE_HZ)]).tolist() == list(range(first, end))
    (gap,) = content.of_kind(GAP)
    assert gap.onset_s <= first / RATE_HZ
    assert gap.onset_s + gap.duration_s >= (end - 1) / RATE_HZ
    assert gap.duration_s < 1.2
    kept = np.flatnonzero(~content.missing)
    np.testing.assert_array_equal(content.ecg_lsb[kept], load_session(holed).ecg_lsb)


def test_trains_carry_the_planned_site_and_intensity_and_so_do_their_pulses(content: Content) -> None:
    trains = content.of_kind(TRAIN)
    assert [(train.site, train.intensity_pct) for train in trains] == [("5cmL", 40.0)] * 3
    onsets_s = [(at_us - FIRST_US) * 1e-6 for at_us in edge_times_us(DURATION_S)][::50]
    np.testing.assert_allclose([train.onset_s for train in trains], onsets_s, atol=1e-4)
    assert {(pulse.site, pulse.intensity_pct) for pulse in content.of_kind(PULSE)} == {("5cmL", 40.0)}


def test_an_interval_across_a_gap_is_in_no_rr_file(holed: Path, tmp_path: Path) -> None:
    export_sessions("rr", [holed], tmp_path, subject="P-014")
    rr_ms = np.loadtxt(tmp_path / "P-014_rr.txt")
    card = json.loads((tmp_path / "P-014.json").read_text())
    np.testing.assert_allclose(rr_ms, 800.0, atol=0.001)
    beats_s = np.array(beat_times_us(DURATION_S)) * 1e-6
    gap = (FIRST_US * 1e-6 + LOST.start * 0.05, FIRST_US * 1e-6 + LOST.stop * 0.05)
    across_n = int(np.sum((beats_s[:-1] < gap[1]) & (beats_s[1:] > gap[0])))
    assert 1 <= across_n <= card["rr_left_out_across_gaps_n"] <= across_n + 1
    assert rr_ms.size == beats_s.size - 1 - card["rr_left_out_across_gaps_n"]


@pytest.mark.parametrize("export_format", FORMATS)
def test_the_same_session_gives_the_same_bytes(export_format: str, holed: Path, tmp_path: Path) -> None:
    made = [export_sessions(export_format, [holed], tmp_path / name, subject="P-014") for name in ("a", "b")]
    first, second = ({path.name: path.read_bytes() for path in one.files} for one in made)
    assert first == second
    assert first


@pytest.mark.parametrize("export_format", FORMATS)
def test_what_a_person_typed_stays_here_and_the_origin_goes_along(
    export_format: str, holed: Path, tmp_path: Path
) -> None:
    files = export_sessions(export_format, [holed], tmp_path / "out", subject="P-014").files
    everything = b"".join(_plain(path) for path in files)
    names = " ".join(str(path.relative_to(tmp_path)) for path in files)
    hello = load_session(holed).hello
    for secret in ("Jane", "Doe", "ttyJaneDoe", str(holed.parent.name), hello.unique_id):
        assert secret.encode() not in everything
        assert secret not in names
    assert b"P-014" in everything or b"P014" in everything
    assert session_hash(load_session(holed)).encode() in everything
    assert f"hbc export {export_format}".encode() in everything
    assert b"agrees" in everything


def _plain(path: Path) -> bytes:
    import gzip

    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("export_format", FORMATS)
def test_without_a_date_no_file_names_the_day(export_format: str, holed: Path, tmp_path: Path) -> None:
    files = export_sessions(export_format, [holed], tmp_path, subject="P-014", with_date=False).files
    everything = b"".join(_plain(path) for path in files)
    for day in (b"2026-01-02", b"02-JAN-2026", b"02.01.26", b"02/01/2026", b"03:04:05", b"03.04.05"):
        assert day not in everything


def test_files_are_private_and_nothing_is_overwritten(holed: Path, tmp_path: Path) -> None:
    made = export_sessions("csv", [holed], tmp_path / "new", subject="P-014")
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.files} == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    before = {path: path.read_bytes() for path in made.files}
    with pytest.raises(InputError, match="is there already, nothing is ever overwritten"):
        export_sessions("csv", [holed], tmp_path / "new", subject="P-014")
    assert {path: path.read_bytes() for path in sorted((tmp_path / "new").iterdir())} == before
    with pytest.raises(InputError, match="a data set needs a folder of its own"):
        export_sessions("bids", [holed], tmp_path / "new", subject="P-014")


def test_hbc_analyze_reads_the_tables_as_it_reads_the_session(holed: Path, tmp_path: Path) -> None:
    protocol = parse_protocol("dash")
    export_sessions("csv", [holed], tmp_path, subject="P-014")
    (again,) = event_runs(tmp_path / "P-014_beats.csv", tmp_path / "P-014_triggers.csv", protocol)
    (run,), _ = session_runs(load_session(holed), protocol)
    assert run.onsets_s.size == 3
    shift_s = run.onsets_s[0] - again.onsets_s[0]
    np.testing.assert_allclose(again.onsets_s + shift_s, run.onsets_s, atol=1e-6)
    np.testing.assert_allclose(again.beats_s + shift_s, run.beats_s, atol=2e-6)


def test_the_visit_names_the_person_and_the_visit(holed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = Visit.model_construct(pseudonym="P-7.a", visit_n=3)
    monkeypatch.setattr(naming, "has_visit", lambda folder: True)
    monkeypatch.setattr(naming, "load_visit", lambda folder: visit)
    assert [path.name for path in export_sessions("edf", [holed], tmp_path).files] == ["P-7_a-v03.edf"]
    made = export_sessions("bids", [holed], tmp_path / "bids").files
    assert any(path.name == "sub-P7a_ses-03_task-tms_physio.tsv.gz" for path in made)


def test_sessions_of_one_person_are_numbered_by_time(holed: Path, tmp_path: Path) -> None:
    early = save(tmp_path / "early", box_frames(12.0), created=datetime(2025, 1, 1, tzinfo=UTC))
    done = export_sessions("rr", [holed, early], tmp_path / "out", subject="P-014")
    assert sorted(done.names) == ["P-014-v01", "P-014-v02"]
    assert json.loads((tmp_path / "out" / "P-014-v01.json").read_text())["started"].startswith("2025-01-01")


def _no_events(tmp_path: Path) -> Path:
    sent = [one for one in box_frames(3.0) if one.message in (messages.Hello, messages.EcgBlock)]
    return save(tmp_path / "quiet", sent)


def _no_samples(tmp_path: Path) -> Path:
    return save(tmp_path / "dull", [one for one in box_frames(3.0) if one.message is not messages.EcgBlock])


def test_a_session_without_events_or_without_samples_is_exported_as_far_as_the_format_goes(tmp_path: Path) -> None:
    quiet, dull = _no_events(tmp_path), _no_samples(tmp_path)
    for export_format in ("edf", "csv", "parquet", "bids"):
        assert export_sessions(export_format, [quiet], tmp_path / f"quiet-{export_format}").files
    for export_format in ("edf", "csv", "parquet", "wfdb", "bids"):
        assert export_sessions(export_format, [dull], tmp_path / f"dull-{export_format}").files
    with pytest.raises(InputError, match="no interval between two beats"):
        export_sessions("rr", [quiet], tmp_path / "quiet-rr")
    assert not list((tmp_path / "quiet-rr").iterdir())


def _gainless(session: Session) -> Session:
    return replace(session, hello=session.hello._replace(gain=0))


def _endless(session: Session) -> Session:
    return replace(session, edges_tick=np.append(session.edges_tick, 1 << 60))


def _empty(session: Session) -> Session:
    none = np.empty(0, np.int64)
    return replace(session, beats_us=none, ecg_us=none, ecg_idx=none)


@pytest.mark.parametrize(
    ("spoil", "told"), [(_gainless, "names no gain"), (_endless, "at most 48 h"), (_empty, "at least 1")]
)
def test_nonsense_in_a_recording_costs_neither_memory_nor_a_traceback(
    spoil: Callable[[Session], Session], told: str, holed: Path
) -> None:
    (named,) = named_sessions([holed], "P-014")
    with pytest.raises(InputError, match=told):
        content_of(replace(named, session=spoil(named.session)), export_format="csv")


def test_a_wfdb_record_without_any_event_is_refused_with_the_way_out(content: Content, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="export csv instead"):
        write_wfdb(replace(content, events=()), tmp_path)


def test_the_lowest_count_is_not_taken_for_a_missing_sample(content: Content, tmp_path: Path) -> None:
    counts = np.full_like(content.ecg_lsb, -32768)
    write_wfdb(replace(content, ecg_lsb=counts), tmp_path)
    with quiet_wfdb() as wfdb:
        found = wfdb.rdrecord(str(tmp_path / content.name)).p_signal[:, 0]
    np.testing.assert_array_equal(np.isnan(found), content.missing)


ERRORS: list[tuple[Callable[[Path, Path], list[object]], str]] = [
    (lambda holed, out: ["xml", holed, out], "no format 'xml'; choose one of edf, rr, csv, parquet, wfdb, bids"),
    (lambda holed, out: ["edf", holed], "give the sessions and then the folder"),
    (lambda holed, out: ["edf", out / "nothing", out], "no recording at"),
    (lambda holed, out: ["edf", holed, out, "--subject", SECRET], "is no pseudonym"),
    (lambda holed, out: ["edf", holed, holed, out], "are both rec-"),
    (lambda holed, out: ["edf", holed, holed / LOG_NAME], "is a file; give a folder"),
]


@pytest.mark.parametrize(("words", "told"), ERRORS, ids=[told for _, told in ERRORS])
def test_what_cannot_be_exported_is_told_in_one_line(
    words: Callable[[Path, Path], list[object]], told: str, holed: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["export", *map(str, words(holed, tmp_path))])
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert result.output.count("\n") == 1
    assert told in result.output


@pytest.mark.parametrize(
    "words", ["export", "stream lsl", "stream markers", "stream place", "strap record", "strap finish"]
)
def test_every_command_explains_itself_with_an_example(words: str) -> None:
    result = CliRunner().invoke(app, [*words.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: hbc {words}" in " ".join(result.output.split())


def test_without_pyarrow_the_command_to_install_it_is_named(
    holed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'hbc-box\[cohort\]'"):
        export_sessions("parquet", [holed], tmp_path)


def test_a_recording_that_is_not_the_manifests_is_exported_with_that_said(holed: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "s", box_frames(5.0))
    manifest = json.loads((holed / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = export_sessions("edf", [folder], tmp_path / "out", subject="P-1")
    assert b'"manifest":"differs"' in done.files[0].read_bytes()
    assert any("the manifest differs" in note for note in done.notes)


def test_the_command_writes_the_files_and_names_them(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    result = CliRunner().invoke(app, ["export", "edf", str(OLD), str(tmp_path / "o"), "--json", str(target)])
    assert result.exit_code == 0, result.output
    assert "wrote " in result.output
    assert json.loads(target.read_text())["names"] == ["rec-cb04df68"]
    assert (tmp_path / "o" / "rec-cb04df68.edf").is_file()


def _texts(files: Iterable[Path]) -> dict[str, str]:
    """Each file as text, unpacked; of a Parquet file its metadata."""
    return {path.name: _plain(path).decode("latin-1") for path in files}


@pytest.mark.parametrize("export_format", FORMATS)
@pytest.mark.parametrize(
    ("is_simulated", "said"),
    [(True, "PRACTICE: simulated box, nothing here was measured on a person"),
     (False, "PRACTICE: nobody was stimulated, this is no result of a patient")],
)  # fmt: skip
def test_practice_leaves_no_house_unmarked_whatever_the_format(
    export_format: str, is_simulated: bool, said: str, holed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_simulated:
        monkeypatch.setattr(naming, "is_simulated", lambda box_id: True)
    else:
        visit = Visit.model_construct(pseudonym="P-7", visit_n=3, practice=True)
        monkeypatch.setattr(naming, "has_visit", lambda folder: True)
        monkeypatch.setattr(naming, "load_visit", lambda folder: visit)
    done = export_sessions(export_format, [holed], tmp_path / "out")
    assert any(said in note for note in done.notes)
    texts = _texts(done.files)
    if export_format == "bids":  # whose labels are letters and digits: each card of the session says it
        assert "\tall\n" in texts["participants.tsv"]
        cards = [text for name, text in texts.items() if name.endswith(("_physio.json", "_events.json"))]
        assert len(cards) == 2
        assert all(said in text for text in cards)
    else:
        assert all("-practice" in name for name in texts)
        assert any(said in text for text in texts.values())
    if export_format == "edf":
        (text,) = texts.values()
        assert "PRACTICE" in text[:256], "in the head that every reader shows"


@pytest.mark.parametrize("export_format", FORMATS)
def test_what_was_measured_on_a_person_is_not_called_practice(export_format: str, holed: Path, tmp_path: Path) -> None:
    done = export_sessions(export_format, [holed], tmp_path / "out")
    assert not any("PRACTICE" in text for text in _texts(done.files).values())
    assert not any("practice" in path.name for path in done.files)
    if export_format == "bids":
        assert "\tnone\n" in _texts(done.files)["participants.tsv"]


@pytest.mark.parametrize("export_format", FORMATS)
@pytest.mark.parametrize("damage", ["{", '{"pseudonym": "P-7"}', ""])
def test_a_session_that_is_given_a_name_is_exported_though_its_visit_is_damaged(
    damage: str, export_format: str, tmp_path: Path
) -> None:
    """And nothing claims that it was no practice: that stood in what is damaged."""
    folder = save(tmp_path / "s", box_frames(5.0))
    (folder / "visit.json").write_text(damage, "utf-8")
    words = ["export", export_format, str(folder), str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*words, "--subject", "P-014"])
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "note: P-014: whether it was practice cannot be told, and no file says so: " in told
    assert "visit.json" in told
    texts = _texts(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert not any(re.search(r'"practice\\?": ?false', text) for text in texts.values())
    assert any(re.search(r'"practice\\?": ?null', text) for text in texts.values())
    if export_format == "bids":
        assert texts["participants.tsv"].endswith("\tn/a\n")
    without_name = CliRunner().invoke(app, [*words[:3], str(tmp_path / "other")])
    assert without_name.exit_code == 2, "its name stood in what is damaged, too"
    assert "visit.json" in without_name.output
