"""Small recordings in every foreign format, made from one known heart and one known stimulator; broken ones, too."""

from __future__ import annotations

import functools
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_host.errors import HbcError
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.registry import read_recording

FloatArray = npt.NDArray[np.float64]

RATE_HZ = 250.0
DURATION_S = 60.0
RR_S = 0.8
WIDTH_S = 0.012


@dataclass(frozen=True)
class Truth:
    """A heart and a coil: what every format below was written from."""

    rate_hz: float = RATE_HZ
    duration_s: float = DURATION_S
    triggers_s: tuple[float, ...] = tuple(
        16.0 + 16.0 * cycle + 0.1 * pulse for cycle in range(3) for pulse in range(50)
    )
    seed: int = 7

    @property
    def beats_s(self) -> FloatArray:
        return np.arange(0.5, self.duration_s - 0.5, RR_S)

    @property
    def ecg_mv(self) -> FloatArray:
        return _ecg_of(self)

    @property
    def levels(self) -> npt.NDArray[np.int64]:
        """A trigger channel: 1 for 10 ms from each trigger on."""
        levels = np.zeros(round(self.duration_s * self.rate_hz), np.int64)
        for at_s in self.triggers_s:
            at = round(at_s * self.rate_hz)
            levels[at : at + max(1, round(0.01 * self.rate_hz))] = 1
        return levels

    @property
    def rr_ms(self) -> FloatArray:
        """Intervals that vary, as a heart's do."""
        return np.rint(800.0 + 40.0 * np.sin(np.arange(80)))


@functools.cache
def _ecg_of(truth: Truth) -> FloatArray:
    at_s = np.arange(round(truth.duration_s * truth.rate_hz)) / truth.rate_hz
    nearest = np.abs(at_s[:, None] - truth.beats_s[None, :]).min(axis=1)
    noise = np.random.default_rng(truth.seed).normal(0.0, 0.01, at_s.size)
    ecg_mv = np.asarray(1.2 * np.exp(-((nearest / WIDTH_S) ** 2)) + noise, np.float64)
    ecg_mv.setflags(write=False)
    return ecg_mv


TRUTH = Truth()


# ---- formats ---------------------------------------------------------------------------------------------------------


def write_edf(
    path: Path, truth: Truth = TRUTH, *, marks: bool = True, channel: bool = False, label: str = "ECG"
) -> Path:
    """EDF+ with annotations, or EDF with a trigger channel; microvolts."""
    import edfio

    signals = [edfio.EdfSignal(truth.ecg_mv * 1e3, truth.rate_hz, label=label, physical_dimension="uV")]
    signals.append(
        edfio.EdfSignal(np.zeros(truth.ecg_mv.size) + 1.0, truth.rate_hz, label="Fp1", physical_range=(-9, 9))
    )
    if channel:
        levels = truth.levels.astype(np.float64)
        signals.append(edfio.EdfSignal(levels, truth.rate_hz, label="TRIG", physical_range=(-1, 1)))
    notes = [edfio.EdfAnnotation(at_s, None, "TMS") for at_s in truth.triggers_s] if marks else None
    if marks and notes is not None:
        notes.append(edfio.EdfAnnotation(1.0, None, "Recording start"))
    edfio.Edf(signals, annotations=notes).write(path)
    return path


def write_bdf(path: Path, truth: Truth = TRUTH) -> Path:
    """BDF as BioSemi writes it: triggers in the lower 16 bits of Status, other things above."""
    import edfio

    status = (truth.levels * 255 + (1 << 20)).astype(np.float64)
    full = (-(1 << 23), (1 << 23) - 1)
    signals = [
        edfio.BdfSignal(truth.ecg_mv * 1e3, truth.rate_hz, label="ECG", physical_dimension="uV"),
        edfio.BdfSignal(status, truth.rate_hz, label="Status", physical_range=full, digital_range=full),
    ]
    edfio.Bdf(signals).write(path)
    return path


def write_wfdb(folder: Path, name: str = "rec", truth: Truth = TRUTH, *, marks: bool = True) -> Path:
    """A WFDB record of two channels, its triggers as notes in ``.tms``; returns its path without ending."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        signal = np.column_stack([truth.ecg_mv, np.zeros(truth.ecg_mv.size)])
        wfdb.wrsamp(
            name, fs=truth.rate_hz, units=["mV", "mmHg"], sig_name=["ECG", "ABP"], p_signal=signal, fmt=["16", "16"],
            adc_gain=[1000.0, 100.0], baseline=[0, 0], write_dir=str(folder),
        )  # fmt: skip
        if marks:
            at = np.rint(np.array(truth.triggers_s) * truth.rate_hz).astype(np.int64)
            wfdb.wrann(
                name, "tms", at, ['"'] * at.size, aux_note=["TMS pulse"] * at.size, fs=truth.rate_hz,
                write_dir=str(folder),
            )  # fmt: skip
    return folder / name


def chunk(tag: int, content: bytes) -> bytes:
    """One chunk of an XDF file."""
    return b"\x04" + struct.pack("<I", len(content) + 2) + struct.pack("<H", tag) + content


def xdf_stream(
    number: int, name: str, kind: str, form: str, rate_hz: float, channels: Sequence[tuple[str, str]]
) -> bytes:
    """Header of a stream with labelled channels (label, unit)."""
    described = "".join(f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label, unit in channels)
    xml = (
        f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{len(channels)}'
        f"</channel_count><nominal_srate>{rate_hz}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{described}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", number) + xml.encode())


def xdf_samples(number: int, times_s: Sequence[float], rows: Sequence[bytes]) -> bytes:
    """A chunk of samples, each with its stamp; a row is the bytes of its values."""
    body = b"".join(b"\x08" + struct.pack("<d", at_s) + row for at_s, row in zip(times_s, rows, strict=True))
    return chunk(3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(rows)) + body)


def write_xdf(path: Path, truth: Truth = TRUTH, *, markers: bool = True) -> Path:
    """An ECG stream of microvolts, and a marker stream whose clock is the same."""
    t0_s = 1000.0
    values = (truth.ecg_mv * 1e3).astype("<f4")
    times_s = t0_s + np.arange(values.size) / truth.rate_hz
    data = b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    data += xdf_stream(1, "Amp", "EEG", "float32", truth.rate_hz, [("Fp1", "microvolts"), ("ECG1", "microvolts")])
    for begin in range(0, values.size, 500):
        part = slice(begin, begin + 500)
        rows = [struct.pack("<ff", 1.0, value) for value in values[part].tolist()]
        data += xdf_samples(1, times_s[part].tolist(), rows)
    if markers:
        data += xdf_stream(2, "Coil", "Markers", "string", 0.0, [("", "")])
        texts = ["start", *["TMS"] * len(truth.triggers_s)]
        rows = [b"\x01" + bytes([len(text)]) + text.encode() for text in texts]
        data += xdf_samples(2, [t0_s + 1.0, *(t0_s + at_s for at_s in truth.triggers_s)], rows)
    path.write_bytes(data)
    return path


def write_openbci(path: Path, truth: Truth = TRUTH, *, lost: Sequence[int] = (), marker: bool = False) -> Path:
    """Raw text of GUI 5 from a Cyton; triggers on D11, or in the marker channel."""
    lines = [
        "%OpenBCI Raw EXG Data", "%Number of channels = 2", f"%Sample Rate = {truth.rate_hz:.0f} Hz",
        "%Board = OpenBCI_GUI$BoardCytonSerial",
        "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Not Used, Digital Channel 0 (D11), "
        "Digital Channel 1 (D12), Not Used, Timestamp, Marker Channel, Timestamp (Formatted)",
    ]  # fmt: skip
    for at, (value, level) in enumerate(zip(truth.ecg_mv * 1e3, truth.levels, strict=True)):
        if at not in lost:
            d11, mark = (0, level) if marker else (level, 0)
            stamp = f"{1.7e9 + at / truth.rate_hz:.6f}, {float(mark)}, 2026-01-02 10:00:00.000"
            lines.append(f"{float(at % 256)}, {value:.4f}, 0.5, 0.01, 0.0, {float(d11)}, 0.0, 0.0, {stamp}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_polar(path: Path, truth: Truth | None = None, *, lost: Sequence[int] = (), rate_hz: float = 130.061) -> Path:
    """ECG of Polar Sensor Logger: whole microvolts, the sensor's nanoseconds since 2000."""
    truth = truth or Truth(rate_hz=rate_hz)
    rows = ["Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"]
    for at, value in enumerate((truth.ecg_mv * 1e3).round().astype(int).tolist()):
        if at not in lost:
            stamp_ns = 599_616_050_941_733_632 + round(at / truth.rate_hz * 1e9)
            rows.append(f"2026-04-24T14:10:15.270;{stamp_ns};{at / truth.rate_hz * 1e3:.3f};{value}")
    path.write_text("\n".join(rows) + "\n")
    return path


def write_polar_rr(path: Path, rr_ms: FloatArray | None = None) -> Path:
    """RR of Polar Sensor Logger: a phone stamp, late by up to a second, and milliseconds."""
    from datetime import datetime, timedelta

    rr_ms = TRUTH.rr_ms if rr_ms is None else rr_ms
    begin = datetime(2026, 4, 24, 14, 10, 15)
    ends_ms = np.cumsum(rr_ms) + 300.0 * (np.arange(rr_ms.size) % 3)
    rows = [
        f"{(begin + timedelta(milliseconds=float(end))).isoformat(timespec='milliseconds')};{rr:.0f}"
        for end, rr in zip(np.maximum.accumulate(ends_ms), rr_ms, strict=True)
    ]
    path.write_text("\n".join(["Phone timestamp;RR-interval [ms]", *rows, ""]))
    return path


def write_hrv_logger(path: Path, rr_ms: FloatArray | None = None, *, lost_ms: float = 0.0) -> Path:
    """HRV Logger; ``lost_ms`` pass without beats after the fortieth."""
    rr_ms = TRUTH.rr_ms if rr_ms is None else rr_ms
    since_ms = np.cumsum(rr_ms) + np.where(np.arange(rr_ms.size) > 40, lost_ms, 0.0)
    rows = [f"2025-03-15 09:00:15.123,{rr:.0f},{since:.0f}" for rr, since in zip(rr_ms, since_ms, strict=True)]
    path.write_text("\n".join(["date,rr,since start", *rows, ""]))
    return path


def write_rr(path: Path, rr_ms: FloatArray | None = None, *, unit: str = "ms", times: bool = False) -> Path:
    """RR text of Elite HRV (milliseconds) or Kubios (seconds, with or without times)."""
    rr = (TRUTH.rr_ms if rr_ms is None else rr_ms) / (1e3 if unit == "s" else 1.0)
    form = "{:.3f}" if unit == "s" else "{:.0f}"
    rows = [form.format(value) for value in rr]
    if times:
        rows = [f"{at:.3f}\t{row}" for at, row in zip(np.cumsum(rr), rows, strict=True)]
    path.write_text("\n".join([*rows, ""]))
    return path


def write_ecg_text(path: Path, truth: Truth = TRUTH) -> Path:
    """One value a line, millivolts."""
    path.write_text("\n".join(f"{value:.5f}" for value in truth.ecg_mv) + "\n")
    return path


def write_csv(
    path: Path,
    truth: Truth = TRUTH,
    *,
    heading: str = "time_ms,ecg_uv,trigger",
    divider: str = ",",
    comma: bool = False,
) -> Path:
    """A table with time, ECG and trigger."""
    rows = [heading] if heading else []
    for at, (value, level) in enumerate(zip(truth.ecg_mv * 1e3, truth.levels, strict=True)):
        cells = [f"{at / truth.rate_hz * 1e3:.1f}", f"{value:.3f}", str(level)]
        rows.append(divider.join(cell.replace(".", ",") if comma else cell for cell in cells))
    path.write_text("\n".join(rows) + "\n")
    return path


# ---- broken files ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A damaged file: how it is made, and words that its reason must hold."""

    name: str
    make: Callable[[Path], Any]
    words: str
    options: ReadOptions = field(default_factory=ReadOptions)


def _bytes(data: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data)


def _text(*lines: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text("\n".join([*lines, ""]))


def _cut(write: Callable[[Path], Any], keep_n: int) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:keep_n])

    return make


def _patched(write: Callable[[Path], Any], at: int, new: bytes) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        write(path)
        data = bytearray(path.read_bytes())
        data[at : at + len(new)] = new
        path.write_bytes(bytes(data))

    return make


def _rr(change: dict[int, str]) -> Callable[[Path], Any]:
    rows = [change.get(at, f"{value:.0f}") for at, value in enumerate(TRUTH.rr_ms)]
    return _text("rr_ms", *rows)


def _csv(heading: str, row: Callable[[int, float], str], n: int = 3000) -> Callable[[Path], Any]:
    values = TRUTH.ecg_mv[:n]
    return _text(heading, *(row(at, value) for at, value in enumerate(values.tolist())))


def _bad_wfdb(header: str, data: bytes = bytes(4000)) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        path.write_text(header)
        path.with_suffix(".dat").write_bytes(data)

    return make


def _xdf(*chunks: bytes) -> Callable[[Path], Any]:
    return _bytes(b"XDF:" + b"".join(chunks))


_STREAM = xdf_stream(1, "ECG", "ECG", "float32", 250.0, [("ECG", "mV")])

# ruff: noqa: E501
#: Forty files as people really have them, and some as nobody should.
BROKEN = (
    Broken("01-empty.txt", _bytes(b""), "is empty"),
    Broken("02-blank.csv", _bytes(b"\n \n\n"), "is empty"),
    Broken("03-words.txt", _text("Dear colleague,", "please find attached nothing."), "holds no numbers"),
    Broken("04-random.txt", _bytes(bytes(range(256)) * 40), "is not text"),
    Broken("05-zip.csv", _bytes(b"PK\x03\x04" + bytes(100)), "zip archive or a spreadsheet"),
    Broken("06-report.txt", _bytes(b"%PDF-1.7\n%abc"), "is a PDF"),
    Broken("07-matlab.mat", _bytes(b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(100)), "MATLAB file"),
    Broken("08-page.csv", _text("<html><body>not logged in</body></html>"), "is XML or HTML"),
    Broken("09-short-ecg.csv", _csv("time_ms,ecg_mv", lambda at, v: f"{4 * at},{v:.4f}", 200), "at least 10 s"),
    Broken("10-no-rate.csv", _csv("ecg_mv,other", lambda at, v: f"{v:.4f},0"), "sampling rate"),
    Broken("11-no-ecg.csv", _csv("pleth,resp", lambda at, v: f"{v:.4f},0"), "no column can be told"),
    Broken("12-word-inside.csv", _csv("time_ms,ecg_mv", lambda at, v: f"{4 * at},{'?' if at == 99 else v}"), "line 101"),
    Broken("13-more-columns.csv", _csv("time_ms,ecg_mv", lambda at, v: f"{4 * at},{v:.4f}{',7' * (at == 9)}"), "3 columns"),
    Broken("14-time-goes-back.csv", _csv("time_ms,ecg_mv", lambda at, v: f"{4 * (at % 2000)},{v:.4f}"), "before the one"),
    Broken("15-time-stands.csv", _csv("time_ms,ecg_mv", lambda at, v: f"5,{v:.4f}"), "outside 50 to 5000 Hz"),
    Broken("16-no-time.csv", _csv("time_ms,ecg_mv", lambda at, v: f"{'' if at > 5 else 4 * at},{v:.4f}"), "time stamps"),
    Broken("17-odd-time.csv", _csv("time,ecg_mv", lambda at, v: f"{40 * at},{v:.4f}"), "say its unit"),
    Broken("18-degrees.csv", _csv("time_ms,ecg", lambda at, v: f"{4 * at},"), "no valid sample"),
    Broken("19-commas.txt", _text(*(f"0,{at % 90 + 10}" for at in range(3000))), "--decimal-comma"),
    Broken("20-rr-negative.csv", _rr({30: "-812"}), "interval 31 is -812"),
    Broken("21-rr-zero.csv", _rr({7: "0"}), "interval 8 is 0"),
    Broken("22-rr-missing.csv", _rr({12: "NaN"}), "interval 13 is missing"),
    Broken("23-rr-few.csv", _text("rr_ms", "800", "810", "790"), "3 intervals"),
    Broken("24-rr-rates.csv", _text("rr_ms", *(f"{70 + at % 9}" for at in range(50))), "check the unit"),
    Broken("25-heart-rates.csv", _text("rr", *(f"{70 + at % 9}" for at in range(50))), "no heart beat"),
    Broken("26-acc.txt", _text("Phone timestamp;sensor timestamp [ns];X [mg];Y [mg]", "2026;1;2;3", "2026;2;2;3"), "its ECG"),
    Broken("27-openbci-4.txt", _text("%OpenBCI Raw EEG Data", "%", "%Sample Rate = 250.0 Hz", *["0, 1.2, 3.4"] * 9), "GUI 5"),
    Broken("28-openbci-norate.txt", _text("%OpenBCI Raw EXG Data", "Sample Index, EXG Channel 0", *["0, 1.2"] * 9), "Rate"),
    Broken("29-cut.edf", _cut(write_edf, 300), "cut off"),
    Broken("30-nodata.edf", _cut(write_edf, 1024), "cut off"),
    Broken("31-signals.edf", _patched(write_edf, 252, b"9999"), "declares 9999 signals"),
    Broken("32-header.edf", _patched(write_edf, 184, b"lots    "), "no number"),
    Broken("33-text.edf", _text("this is no EDF"), "does not begin as EDF"),
    Broken("34-eeg-only.edf", lambda path: write_edf(path, label="Fp2"), "no channel is labelled"),
    Broken("35-bomb.edf", _patched(write_edf, 256 + 3 * 216, b"99999999"), "cut off"),
    Broken("36-length.xdf", _xdf(_STREAM, chunk(3, struct.pack("<I", 1) + b"\x08" + b"\xff" * 7 + b"\x0f")), "declares"),
    Broken("37-entities.xdf", _xdf(chunk(1, b'<!DOCTYPE a [<!ENTITY b "c">]><info>&b;</info>')), "entities"),
    Broken("38-no-streams.xdf", _xdf(chunk(1, b"<info><version>1.0</version></info>")), "no stream is named"),
    Broken("39-missing.hea", _bad_wfdb("39-missing 1 360 3000000\nelse.dat 16 200 16 0 0 0 0 ECG\n"), "is missing"),
    Broken("40-elsewhere.hea", _bad_wfdb("40-elsewhere 1 360 1000\n../40-elsewhere.dat 16 200 16 0 0 0 0 ECG\n"), "damaged"),
)  # fmt: skip


# ---- what must hold for any bytes ------------------------------------------------------------------------------------


def check_any(path: Path, options: ReadOptions | None = None) -> Recording | None:
    """Any file is read or refused in one line for people; what is read has sane numbers."""
    refusal = ""
    try:
        recording = read_recording(path, options)
    except HbcError as fault:
        refusal = str(fault)
        assert refusal
        assert "\n" not in refusal
        return None
    assert recording.ecg is not None or recording.beats_s is not None
    for times_s in (recording.beats_s, recording.triggers_s):
        if times_s is not None:
            assert np.isfinite(times_s).all()
            assert np.all(np.diff(times_s) > 0.0)
    if recording.ecg is not None:
        assert np.isfinite(recording.ecg.ecg_mv).all()
        assert 50.0 <= recording.ecg.rate_hz <= 5000.0
    assert all(start_s <= end_s for start_s, end_s in recording.gaps_s)
    return recording
