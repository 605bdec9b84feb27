"""Our exports of a recording of the rig, read by programs that are not ours."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.exchange.export import FORMATS, export_sessions
from hbc_host.io.recording import ReadOptions
from hbc_host.io.registry import read_recording
from hbc_host.io.wfdb_record import quiet_wfdb
from hbc_host.record import record
from hbc_host.session import Session, load_session
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport

FloatArray = npt.NDArray[np.float64]

OLD = Path(__file__).resolve().parents[1] / "data" / "session-0.1.0"
HELLO_S = 600.0  # virtual: the rig runs far ahead of the reader
SUBJECT = "P-014"
NAME = "P-014-practice"  # the box is a simulated one


@pytest.fixture(scope="module")
def session(labels: Callable[[str], SessionMeta], tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A minute of iTBS at the simulated box, recorded through its port."""
    folder = tmp_path_factory.mktemp("readers") / "s"
    with rig(Scenario.short(31, 60.0, protocol="itbs", rest_s=10.0)) as box:
        record(SerialTransport(box.port), folder, meta=labels(box.port), stop=lambda: box.finished,
               clock=lambda: box.bridge.virtual_s, hello_timeout_s=HELLO_S)  # fmt: skip
    return load_session(folder)


@pytest.fixture(scope="module")
def exported(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each format."""
    place = tmp_path_factory.mktemp("exported")
    for name in FORMATS:
        export_sessions(name, [session.path], place / name, subject=SUBJECT)
    return {name: place / name for name in FORMATS}


def nearest_sample_idx(session: Session, times_s: FloatArray) -> npt.NDArray[np.int64]:
    """Index of the sample whose true instant is nearest to each of these times: the truth that readers must find."""
    after = np.clip(np.searchsorted(session.ecg_s, times_s), 1, session.ecg_s.size - 1)
    earlier = times_s - session.ecg_s[after - 1] < session.ecg_s[after] - times_s
    return np.where(earlier, after - 1, after)


def ecg_mv(session: Session) -> FloatArray:
    return np.asarray(session.ecg_lsb * (session.hello.adc_lsb_nv * 1e-6 / session.hello.gain), np.float64)


def test_edfio_reads_signal_triggers_and_beats(session: Session, exported: dict[str, Path]) -> None:
    import edfio

    edf = edfio.read_edf(exported["edf"] / f"{NAME}.edf")
    assert edf.reserved == "EDF+C"
    assert (edf.patient.code, edf.patient.additional) == (SUBJECT, ("PRACTICE",))
    signal = edf.get_signal("ECG")
    n = session.ecg_lsb.size
    np.testing.assert_array_equal(signal.digital[:n], session.ecg_lsb)
    np.testing.assert_allclose(signal.data[:n] * 1e-3, ecg_mv(session), rtol=1e-5, atol=1e-6)
    onsets_s = {text: np.array([a.onset for a in edf.annotations if a.text == text]) for text in ("TMS", "beat")}
    assert session.edges_s.size >= 60
    for text, times_s in (("TMS", session.edges_s), ("beat", session.beats_s)):
        assert onsets_s[text].size == times_s.size
        off_n = onsets_s[text] * signal.sampling_frequency - nearest_sample_idx(session, times_s)
        assert np.abs(off_n).max() <= 1.0
    provenance = next(a.text for a in edf.annotations if a.text.startswith("provenance "))
    assert json.loads(provenance.removeprefix("provenance "))["manifest"] == "agrees"


def test_mne_opens_the_edf_with_triggers_within_a_sample(session: Session, exported: dict[str, Path]) -> None:
    import mne

    raw = mne.io.read_raw_edf(exported["edf"] / f"{NAME}.edf", preload=True, verbose="error")
    assert raw.info["sfreq"] == session.rate_hz
    n = session.ecg_lsb.size
    np.testing.assert_allclose(raw.get_data()[0, :n] * 1e3, ecg_mv(session), rtol=1e-5, atol=1e-6)
    events, ids = mne.events_from_annotations(raw, event_id={"TMS": 1, "beat": 2}, verbose="error")
    assert ids == {"TMS": 1, "beat": 2}
    for number, times_s in ((1, session.edges_s), (2, session.beats_s)):
        found_idx = events[events[:, 2] == number, 0]
        assert np.abs(found_idx - nearest_sample_idx(session, times_s)).max() <= 1
    trains = [a for a in raw.annotations if a["description"].startswith("train")]
    assert len(trains) == 5
    assert raw.info["meas_date"].replace(tzinfo=None) == session.meta.created.replace(microsecond=0, tzinfo=None)


def test_wfdb_reads_the_record_and_its_annotations(session: Session, exported: dict[str, Path]) -> None:
    stem = str(exported["wfdb"] / NAME)
    with quiet_wfdb() as wfdb:
        found, marks = wfdb.rdrecord(stem), wfdb.rdann(stem, "atr")
    assert (found.fs, found.units, found.sig_name) == (session.rate_hz, ["mV"], ["ECG"])
    n = session.ecg_lsb.size
    np.testing.assert_allclose(found.p_signal[:n, 0], ecg_mv(session), rtol=1e-6, atol=1e-9)
    assert np.isnan(found.p_signal[n:]).all()
    symbols, notes = np.array(marks.symbol), np.array([note.rstrip("\x00") for note in marks.aux_note])
    for picked, times_s in ((symbols == "N", session.beats_s), (notes == "TMS", session.edges_s)):
        assert np.abs(marks.sample[picked] - nearest_sample_idx(session, times_s)).max() <= 1


def test_neurokit_finds_the_beats_that_the_box_found(session: Session, exported: dict[str, Path]) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it imports
        import neurokit2 as nk

        ecg = pd.read_csv(exported["csv"] / f"{NAME}_ecg.csv")["ecg_mv"].to_numpy()
        clean = nk.ecg_clean(ecg, sampling_rate=int(session.rate_hz))
        found = nk.ecg_peaks(clean, sampling_rate=int(session.rate_hz))[1]["ECG_R_Peaks"]
    ours_s = pd.read_csv(exported["csv"] / f"{NAME}_beats.csv")["time_s"].to_numpy()
    distance_s = np.abs(np.asarray(found)[:, None] / session.rate_hz - ours_s).min(axis=1)
    assert 0.95 * ours_s.size <= len(found) <= 1.05 * ours_s.size + 1
    assert np.mean(distance_s < 0.02) > 0.95


def test_pandas_and_duckdb_read_the_parquet_files(session: Session, exported: dict[str, Path]) -> None:
    import duckdb
    import pandas as pd
    import pyarrow.parquet as pq

    samples = pd.read_parquet(exported["parquet"] / f"{NAME}_samples.parquet")
    np.testing.assert_array_equal(samples["ecg_lsb"], session.ecg_lsb)
    np.testing.assert_allclose(np.diff(samples["time_s"]), np.diff(session.ecg_s), atol=1e-7)
    metadata = pq.read_schema(exported["parquet"] / f"{NAME}_events.parquet").metadata
    assert json.loads(metadata[b"hbc"])["provenance"]["command"] == "hbc export parquet"
    table = exported["parquet"] / "*_events.parquet"
    counts = duckdb.sql(f"SELECT kind, count(*) FROM read_parquet('{table}') WHERE recording = '{NAME}' GROUP BY kind")
    assert dict(counts.fetchall()) == {"beat": session.beats_s.size, "pulse": session.edges_s.size, "train": 5}


def test_a_plain_reader_gets_the_intervals_for_kubios(session: Session, exported: dict[str, Path]) -> None:
    rr_ms = np.loadtxt(exported["rr"] / f"{NAME}_rr.txt")
    np.testing.assert_allclose(rr_ms, np.diff(session.beats_us) / 1e3, atol=0.001)


def errors_of(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    validator = Path(sys.executable).parent / "bids-validator-deno"
    command = [str(validator), str(folder), "--format", "json", "--max-rows", "-1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(done.stdout)
    return [one for one in report["issues"]["issues"] if one["severity"] == "error"], report["summary"]


def test_bids_validator_finds_no_error_in_ours_and_does_find_one_that_we_make(session: Session, tmp_path: Path) -> None:
    both = tmp_path / "both"
    export_sessions("bids", [session.path, OLD], both)
    errors, summary = errors_of(both)
    assert errors == []
    assert len(summary["subjects"]) == 2
    assert summary["tasks"] == ["tms"]
    assert summary["totalFiles"] >= 13  # it has looked at ours, not at an empty folder
    next(both.rglob("*_events.tsv")).write_text("duration\tonset\n0\tx\n")
    assert errors_of(both)[0] != []


def test_pandas_reads_the_bids_tables(session: Session, exported: dict[str, Path]) -> None:
    import pandas as pd

    (physio,) = exported["bids"].rglob("*_physio.tsv.gz")
    card = json.loads(Path(str(physio).replace(".tsv.gz", ".json")).read_text())
    table = pd.read_csv(physio, sep="\t", header=None, names=card["Columns"], na_values="n/a")
    n = session.ecg_lsb.size
    np.testing.assert_allclose(table["cardiac"][:n], ecg_mv(session), atol=1e-6)
    assert card["SamplingFrequency"] == session.rate_hz
    np.testing.assert_array_equal(
        np.flatnonzero(table["trigger"]), np.unique(nearest_sample_idx(session, session.edges_s))
    )
    (path,) = exported["bids"].rglob("*_events.tsv")
    events = pd.read_csv(path, sep="\t", na_values="n/a")
    assert events["onset"].is_monotonic_increasing
    assert (events["trial_type"] == "pulse").sum() == session.edges_s.size


def test_our_own_importers_read_them_back(session: Session, exported: dict[str, Path]) -> None:
    edf, wfdb, rr = (
        read_recording(path, ReadOptions())
        for path in (
            exported["edf"] / f"{NAME}.edf",
            exported["wfdb"] / f"{NAME}.hea",
            exported["rr"] / f"{NAME}_rr.txt",
        )
    )
    for found, within_s in ((edf, 1e-3), (wfdb, 2e-3)):
        assert found.ecg is not None
        assert found.triggers_s is not None
        np.testing.assert_allclose(found.ecg.ecg_mv[: session.ecg_lsb.size], ecg_mv(session), atol=1e-5)
        np.testing.assert_allclose(found.triggers_s, session.edges_s - session.ecg_s[0], atol=within_s)
    assert rr.beats_s is not None
    np.testing.assert_allclose(np.diff(rr.beats_s), np.diff(session.beats_s), atol=1e-6)
