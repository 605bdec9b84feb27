"""Every foreign format is read to the same heart and the same coil that it was written from."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hbc_host.errors import InputError
from hbc_host.io.recording import Choice, ReadOptions, Recording
from hbc_host.io.registry import FORMATS, identify, read_recording
from support_import import (
    TRUTH,
    Truth,
    chunk,
    write_bdf,
    write_csv,
    write_ecg_text,
    write_edf,
    write_hrv_logger,
    write_openbci,
    write_polar,
    write_polar_rr,
    write_rr,
    write_wfdb,
    write_xdf,
    xdf_samples,
    xdf_stream,
)

TRIGGERS_S = np.array(TRUTH.triggers_s)


def choose(**columns: str) -> ReadOptions:
    """Options that name a column or channel for a role, ``NAME`` or ``NAME:UNIT``."""
    pairs = {role: text.partition(":") for role, text in columns.items()}
    return ReadOptions(choices={role: Choice(name, unit) for role, (name, _, unit) in pairs.items()})


def assert_ecg(recording: Recording, within_mv: float, truth: Truth = TRUTH) -> None:
    assert recording.ecg is not None
    assert recording.ecg.rate_hz == pytest.approx(truth.rate_hz, rel=1e-5)
    assert np.abs(recording.ecg.ecg_mv - truth.ecg_mv).max() < within_mv
    assert recording.ecg.gaps_s == ()


def assert_triggers(recording: Recording, source: str, within_s: float = 1e-9) -> None:
    assert recording.triggers_s is not None
    assert recording.triggers_s.size == TRIGGERS_S.size
    assert np.abs(recording.triggers_s - TRIGGERS_S).max() <= within_s
    assert source in recording.triggers_from


def test_edf_gives_millivolts_and_triggers_from_its_annotations(tmp_path: Path) -> None:
    recording = read_recording(write_edf(tmp_path / "a.edf"))
    assert recording.format == "edf"
    assert_ecg(recording, 1e-4)  # 16 bits over the range of the signal
    assert_triggers(recording, "annotations 'TMS'")
    assert any("'TMS' are taken as triggers, by their name (150)" in note for note in recording.notes)


def test_edf_triggers_may_be_a_channel_and_a_named_one_wins(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", channel=True)
    assert_triggers(read_recording(path), "annotations")
    assert_triggers(read_recording(path, choose(trigger="TRIG")), "channel 'TRIG'")
    plain = write_edf(tmp_path / "b.edf", marks=False, channel=True)
    assert_triggers(read_recording(plain), "channel 'TRIG'")


def test_an_edf_channel_that_a_person_names_is_taken_and_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", label="Chest")
    assert_ecg(read_recording(path, choose(ecg="Chest")), 1e-4)
    with pytest.raises(InputError, match=r"has no channel 'Lead 9'; its channels are Chest, Fp1"):
        read_recording(path, choose(ecg="Lead 9"))


def test_bdf_takes_the_lower_bits_of_status_as_triggers(tmp_path: Path) -> None:
    recording = read_recording(write_bdf(tmp_path / "a.bdf"))
    assert recording.format == "bdf"
    assert_ecg(recording, 1e-6)
    assert_triggers(recording, "channel 'Status'")


def test_an_interrupted_edf_is_refused_because_its_clock_has_holes(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf")
    data = bytearray(path.read_bytes())
    data[192:197] = b"EDF+D"
    at = data.index(b"+30\x14\x14")  # the record of second 30 begins a minute later
    data[at : at + 3] = b"+90"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="interrupted"):
        read_recording(path)


def test_wfdb_gives_its_ecg_channel_and_the_notes_of_an_annotation_file(tmp_path: Path) -> None:
    recording = read_recording(write_wfdb(tmp_path))
    assert_ecg(recording, 1e-3)  # 1000 counts a millivolt
    assert_triggers(recording, "rec.tms 'TMS pulse'")
    assert read_recording(write_wfdb(tmp_path, "bare", marks=False)).triggers_s is None


def test_xdf_gives_the_ecg_channel_of_a_stream_and_marks_on_the_same_clock(tmp_path: Path) -> None:
    recording = read_recording(write_xdf(tmp_path / "a.xdf"))
    assert_ecg(recording, 1e-6)
    assert_triggers(recording, "marker stream 'Coil': 'TMS'", within_s=1e-6)
    chosen = read_recording(tmp_path / "a.xdf", choose(ecg="Amp/ECG1", trigger="TMS"))
    assert_triggers(chosen, "'TMS'", within_s=1e-6)
    with pytest.raises(InputError, match="no stream and no mark is named 'Beep'"):
        read_recording(tmp_path / "a.xdf", choose(trigger="Beep"))


def test_xdf_streams_of_two_computers_are_put_on_one_clock(tmp_path: Path) -> None:
    import struct

    offset_s = 250.0  # the marker computer's clock is this much behind the recorder's
    path = write_xdf(tmp_path / "a.xdf", markers=False)
    times_s = [1000.0 + at_s - offset_s for at_s in TRUTH.triggers_s]
    data = path.read_bytes() + xdf_stream(2, "Stimulator", "Markers", "int32", 0.0, [("", "")])
    data += xdf_samples(2, times_s, [struct.pack("<i", 1)] * len(times_s))
    for number, behind_s in ((1, 0.0), (2, offset_s)):
        for at_s in np.arange(0.0, 60.0, 5.0):
            data += chunk(4, struct.pack("<Idd", number, 1000.0 + at_s - behind_s, behind_s))
    path.write_bytes(data)
    recording = read_recording(path)
    assert_triggers(recording, "marker stream 'Stimulator'", within_s=1e-3)
    assert not any("no clock offsets" in note for note in recording.notes)


def test_openbci_gives_the_first_channel_and_counts_lost_samples(tmp_path: Path) -> None:
    recording = read_recording(write_openbci(tmp_path / "OpenBCI-RAW.txt", lost=(500, 501, 9010)))
    assert recording.ecg is not None
    assert recording.ecg.ecg_mv.size == TRUTH.ecg_mv.size
    assert recording.gaps_s == ((2.0, 2.008), (36.04, 36.044))
    assert_triggers(recording, "Digital Channel 0 (D11)")
    assert "3 samples are missing by the board's counter" in recording.notes
    marker = read_recording(write_openbci(tmp_path / "marker.txt", marker=True))
    assert_triggers(marker, "Marker Channel")
    assert_ecg(marker, 1e-6)


def test_polar_ecg_takes_its_rate_from_the_sensors_clock_and_a_lost_packet_becomes_a_gap(tmp_path: Path) -> None:
    truth = Truth(rate_hz=130.061)
    path = write_polar(tmp_path / "ECG.txt", truth, lost=range(1300, 1373))
    recording = read_recording(path)
    assert recording.format == "polar_ecg"
    assert recording.ecg is not None
    assert recording.ecg.rate_hz == pytest.approx(130.061, rel=1e-6)
    ((start_s, end_s),) = recording.gaps_s
    assert (start_s, end_s) == pytest.approx((1300 / 130.061, 1373 / 130.061), abs=1e-4)
    whole = read_recording(write_polar(tmp_path / "whole.txt", truth))
    assert_ecg(whole, 6e-4, truth)  # whole microvolts


@pytest.mark.parametrize("unit", ["ms", "s"])
@pytest.mark.parametrize("times", [False, True])
def test_rr_text_of_elite_hrv_and_kubios_is_added_up(tmp_path: Path, unit: str, times: bool) -> None:
    recording = read_recording(write_rr(tmp_path / "rr.txt", unit=unit, times=times))
    assert recording.format == "rr_text"
    assert recording.ecg is None
    assert recording.beats_s is not None
    assert np.diff(recording.beats_s) * 1e3 == pytest.approx(TRUTH.rr_ms)
    assert any(f"taken as {unit}" in note for note in recording.notes)


def test_rr_of_polar_and_hrv_logger_is_added_up_and_lost_beats_become_a_gap(tmp_path: Path) -> None:
    polar = read_recording(write_polar_rr(tmp_path / "RR.txt"))
    logger = read_recording(write_hrv_logger(tmp_path / "h.csv"))
    for recording in (polar, logger):
        assert recording.beats_s is not None
        assert np.diff(recording.beats_s) * 1e3 == pytest.approx(TRUTH.rr_ms)
        assert recording.gaps_s == ()
    holed = read_recording(write_hrv_logger(tmp_path / "lost.csv", lost_ms=9000.0))
    ((start_s, end_s),) = holed.gaps_s
    assert end_s - start_s == pytest.approx(9.0, abs=1e-6)
    assert holed.beats_s is not None
    assert holed.beats_s[-1] == pytest.approx(TRUTH.rr_ms.sum() / 1e3 + 9.0)


def test_rr_in_1024ths_is_read_when_said_and_the_doubt_is_told_when_not(tmp_path: Path) -> None:
    path = write_rr(tmp_path / "rr.txt", np.rint(TRUTH.rr_ms * 1.024))
    said = read_recording(path, choose(rr="1:1/1024s"))
    assert said.beats_s is not None
    assert np.diff(said.beats_s) * 1e3 == pytest.approx(TRUTH.rr_ms, abs=0.5)
    assert any("1/1024 s, which would be 2 % less" in note for note in read_recording(path).notes)


def test_ecg_text_needs_its_rate_and_says_what_unit_it_took(tmp_path: Path) -> None:
    path = write_ecg_text(tmp_path / "ecg.txt")
    with pytest.raises(InputError, match="add --rate-hz"):
        read_recording(path)
    recording = read_recording(path, ReadOptions(rate_hz=250.0))
    assert_ecg(recording, 1e-5)
    assert any("taken as mV" in note for note in recording.notes)


def test_a_table_is_read_by_its_headings_and_each_is_told(tmp_path: Path) -> None:
    recording = read_recording(write_csv(tmp_path / "t.csv"))
    assert_ecg(recording, 1e-5)
    assert_triggers(recording, "column 'trigger'")
    for role in ("time", "ecg", "trigger"):
        assert any(f"is taken as {role}, by its name" in note for note in recording.notes)
    renamed = write_csv(tmp_path / "r.csv", heading="a,b,c")
    with pytest.raises(InputError, match=r"its columns are a, b, c; name one"):
        read_recording(renamed)
    assert_triggers(read_recording(renamed, choose(time="a:ms", ecg="b:uV", trigger="c")), "column 'c'")
    assert_ecg(read_recording(renamed, choose(time="1:ms", ecg="2:uV")), 1e-5)


def test_a_rate_that_the_header_gives_is_not_overruled_and_that_is_told(tmp_path: Path) -> None:
    recording = read_recording(write_edf(tmp_path / "a.edf"), ReadOptions(rate_hz=500.0))
    assert_ecg(recording, 1e-4)
    assert "--rate-hz 500 was ignored: the file says 250 Hz" in recording.notes


def test_every_format_that_is_listed_is_identified_from_a_file(tmp_path: Path) -> None:
    paths = [
        write_edf(tmp_path / "a.edf"), write_bdf(tmp_path / "a.bdf"), write_wfdb(tmp_path),
        write_xdf(tmp_path / "a.xdf"),
        write_openbci(tmp_path / "o.txt"), write_polar(tmp_path / "p.txt"), write_polar_rr(tmp_path / "r.txt"),
        write_hrv_logger(tmp_path / "h.csv"), write_rr(tmp_path / "k.txt"), write_csv(tmp_path / "t.csv"),
        write_ecg_text(tmp_path / "e.txt"),
    ]  # fmt: skip
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "session.json").write_text("{}")
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "recording.json").write_text("{}")
    found = {identify(path).key for path in [*paths, tmp_path / "s", tmp_path / "i"]}
    assert found == {one.key for one in FORMATS}


# ---- the same values by other people's readers -----------------------------------------------------------------------


def test_edf_and_bdf_agree_with_mne_in_samples_and_triggers(tmp_path: Path) -> None:
    mne = pytest.importorskip("mne")
    for path in (write_edf(tmp_path / "a.edf"), write_bdf(tmp_path / "a.bdf")):
        read = mne.io.read_raw_edf if path.suffix == ".edf" else mne.io.read_raw_bdf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = read(path, preload=True, verbose="error")
            if path.suffix == ".edf":
                marks = raw.annotations
                theirs_s = marks.onset[marks.description == "TMS"]
            else:
                events = mne.find_events(raw, stim_channel="Status", mask=0xFFFF, mask_type="and", verbose="error")
                theirs_s = events[:, 0] / raw.info["sfreq"]
        ours = read_recording(path)
        assert ours.ecg is not None
        assert ours.triggers_s is not None
        assert np.abs(ours.ecg.ecg_mv - 1e3 * raw.get_data(picks=["ECG"])[0]).max() < 1e-9
        assert np.abs(ours.triggers_s - theirs_s).max() < 1e-9


def test_wfdb_and_xdf_agree_with_their_reference_readers(tmp_path: Path) -> None:
    import pyxdf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        stem = write_wfdb(tmp_path)
        theirs = wfdb.rdrecord(str(stem)).p_signal[:, 0]
        marks = wfdb.rdann(str(stem), "tms")
    ours = read_recording(stem)
    assert ours.ecg is not None
    assert ours.triggers_s is not None
    assert np.array_equal(ours.ecg.ecg_mv, theirs)
    assert np.array_equal(np.rint(ours.triggers_s * 250).astype(int), marks.sample)

    path = write_xdf(tmp_path / "a.xdf")
    streams, _ = pyxdf.load_xdf(str(path))
    amp, coil = sorted(streams, key=lambda stream: stream["info"]["name"][0])
    ours = read_recording(path)
    assert ours.ecg is not None
    assert ours.triggers_s is not None
    assert np.array_equal(ours.ecg.ecg_mv, amp["time_series"][:, 1].astype(np.float64) * 1e-3)
    assert np.allclose(ours.triggers_s, coil["time_stamps"][1:] - amp["time_stamps"][0], atol=1e-12, rtol=0.0)


def test_what_we_export_comes_back_with_the_same_triggers_and_beats(tmp_path: Path) -> None:
    from hbc_host.cli import app
    from hbc_host.session import load_session
    from typer.testing import CliRunner

    source = Path(__file__).resolve().parents[1] / "data" / "session-0.1.0"
    session = load_session(source)
    for form, name in (("edf", "*.edf"), ("wfdb", "*.hea"), ("csv", "*_beats.csv")):
        done = CliRunner().invoke(app, ["export", form, str(source), str(tmp_path / form)])
        assert done.exit_code == 0, done.output
        (path,) = (tmp_path / form).glob(name)
        again = read_recording(path)
        if form == "csv":
            assert again.beats_s is not None
            assert np.diff(again.beats_s) == pytest.approx(np.diff(session.beats_s), abs=2e-6)
            continue
        assert again.triggers_s is not None
        assert np.diff(again.triggers_s) == pytest.approx(np.diff(session.edges_s), abs=2.001e-3)  # one sample


def test_a_real_record_agrees_with_wfdb(shared_data: Path) -> None:
    stem = shared_data / "mitdb" / "101"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        theirs = wfdb.rdrecord(str(stem)).p_signal[:, 0]
    ours = read_recording(stem)
    assert ours.ecg is not None
    assert np.array_equal(ours.ecg.ecg_mv, theirs)
    assert ours.triggers_s is None  # annotations of beats and rhythm are no triggers
