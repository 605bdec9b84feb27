"""Every format that is read, in one table; :func:`read_recording` takes any of them.

A format is known by what its bytes begin with, never by its name alone. What none of them claims is a table of text,
whose columns must be named or understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hbc_host.errors import InputError
from hbc_host.io.limits import check_size
from hbc_host.io.recording import ReadOptions, Recording, checked
from hbc_host.io.table import Table, open_table
from hbc_host.io.wfdb_record import record_stem

HEAD_BYTES = 4096
EDF_LINE_MIN_BYTES = 200  # an EDF header is one long line; a text that begins with 0 is not


@dataclass(frozen=True)
class Format:
    """One format: its key, its name for people, and whether triggers can be in it."""

    key: str
    title: str
    triggers: str


FORMATS = (
    Format("session", "session of hbc record", "trigger input of the box"),
    Format("import", "folder of hbc import", "as imported"),
    Format("wfdb", "WFDB record", "notes in an annotation file, or a channel"),
    Format("edf", "EDF or EDF+", "annotations, or a channel"),
    Format("bdf", "BDF or BDF+", "annotations, or the Status channel"),
    Format("xdf", "XDF of LabRecorder", "a marker stream, or a channel"),
    Format("openbci", "raw text of the OpenBCI GUI 5 and newer", "marker channel, or a digital input"),
    Format("polar_ecg", "ECG of Polar Sensor Logger", "none; declare the start"),
    Format("polar_rr", "RR intervals of Polar Sensor Logger", "none; declare the start"),
    Format("hrv_logger", "RR intervals of HRV Logger", "none; declare the start"),
    Format("rr_text", "RR intervals as text (Kubios, Elite HRV)", "none; declare the start"),
    Format("ecg_text", "ECG as text, one value a line", "none; declare the start"),
    Format("csv", "table with named columns", "a column"),
)
#: Formats whose header gives a rate that nothing overrules.
RATE_IN_HEADER = frozenset({"edf", "bdf", "openbci", "import"})
BY_KEY = {one.key: one for one in FORMATS}

#: Beginnings of files that people give by mistake, and what to do.
_FOREIGN = (
    (b"PK\x03\x04", "is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
    (b"%PDF", "is a PDF; export the recording, not its report"),
    (b"\x89PNG", "is a picture; export the recording as numbers"),
    (b"\xff\xd8\xff", "is a picture; export the recording as numbers"),
    (b"SQLite format 3", "is a database; export the recording from the program that made it"),
    (b"MATLAB", "is a MATLAB file; save the ECG as CSV or EDF"),
    (b"\x89HDF", "is an HDF5 file; save the ECG as CSV or EDF"),
    (b"PAR1", "is a Parquet file; save the ECG as CSV"),
    (b"Brain Vision", "is a BrainVision header; save the recording as EDF"),
    (b".FIT", "is a FIT file; export the RR intervals as text"),
    (b"<", "is XML or HTML; export the recording as numbers"),
    (b"{", "is JSON; export the recording as CSV"),
)


def identify(path: Path) -> Format:
    """Which format a path has.

    Raises
    ------
    InputError
        If the path does not exist, is empty, too large, or of a format that is not read.
    """
    return _identified(path, ReadOptions())[0]


def read_recording(path: Path, options: ReadOptions | None = None) -> Recording:
    """Read a recording of any format.

    Parameters
    ----------
    path : Path
        File, record, session folder or import folder.
    options : ReadOptions, optional
        What the file does not say.

    Raises
    ------
    InputError, SessionError, VersionMismatchError
        With the reason, and what to do next.
    """
    options = options or ReadOptions()
    with np.errstate(all="ignore"):  # numbers of a damaged file overflow; what comes of it is checked
        found, table = _identified(path, options)
        if table is not None:
            recording = checked(_table_reader(found.key)(table, options), path)
        else:
            recording = checked(_file_reader(found.key)(path, options), path)
    if options.rate_hz is None or recording.ecg is None or found.key not in RATE_IN_HEADER:
        return recording
    why = f"--rate-hz {options.rate_hz:g} was ignored: the file says {recording.ecg.rate_hz:g} Hz"
    return replace(recording, notes=(*recording.notes, why))


def container(path: Path) -> str:
    """Key of the format of a folder, a record or a binary file; empty for text.

    Raises
    ------
    InputError
        As :func:`identify`, but text is not looked into.
    """
    if path.is_dir():
        return _folder(path)
    if record_stem(path) is not None:
        return "wfdb"
    if not path.exists():
        raise InputError(f"{path}: no such file or directory; check the path")
    if path.suffix.lower() in {".dat", ".hea", ".atr", ".qrs"}:
        raise InputError(f"{path}: no WFDB header {path.stem}.hea beside it; copy header and data into one folder")
    check_size(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}); check the path") from fault
    for mark, key in ((b"0       ", "edf"), (b"\xffBIOSEMI", "bdf"), (b"XDF:", "xdf")):
        if head.startswith(mark) and (key != "edf" or len(head.split(b"\n", 1)[0]) > EDF_LINE_MIN_BYTES):
            return key
    _refuse_foreign(path, head)
    return ""


def text_format(path: Path, rate_hz: float | None) -> str:
    """Key of the program that wrote a text, or of RR intervals; empty for plain columns of ECG or of event times.

    Raises
    ------
    InputError
        If it is no text.
    """
    try:
        table = open_table(path)
    except InputError:
        return ""  # the reader of plain columns says what is wrong
    key = _text_key(table, ReadOptions(rate_hz=rate_hz))
    return "" if key in ("ecg_text", "csv") else key


def _identified(path: Path, options: ReadOptions) -> tuple[Format, Table | None]:
    """The format, and for text its table, which was read to find out."""
    key = container(path)
    if key:
        return BY_KEY[key], None
    table = open_table(path, decimal_comma=options.decimal_comma)
    return BY_KEY[_text_key(table, options)], table


def _folder(path: Path) -> str:
    from hbc_host.io.import_folder import is_import
    from hbc_host.recorder import LOG_NAME, session_hint

    if is_import(path):
        return "import"
    if (path / "session.json").is_file() or (path / LOG_NAME).is_file():
        return "session"
    next_step = session_hint(path) or "; give a session directory, an import folder or files"
    raise InputError(f"{path}: is a directory without session.json and {LOG_NAME}{next_step}")


def _refuse_foreign(path: Path, head: bytes) -> None:
    suffixes = {".edf": "EDF", ".bdf": "BDF", ".xdf": "XDF", ".rec": "EDF"}
    if kind := suffixes.get(path.suffix.lower()):
        raise InputError(f"{path}: does not begin as {kind} does ({head[:8]!r}); the file is damaged, export it again")
    for mark, what in _FOREIGN:
        if head.lstrip().startswith(mark):
            raise InputError(f"{path}: {what}")


def _text_key(table: Table, options: ReadOptions) -> str:
    """Which program wrote a text, by its headings and first lines."""
    from hbc_host.io.text_plain import holds_intervals

    headings = [heading.lower() for heading in table.layout.headings]
    if any(line.startswith("%OpenBCI") for line in table.layout.comments):
        return "openbci"
    if headings and headings[0].startswith("phone timestamp"):
        if any(heading.startswith("ecg") for heading in headings):
            return "polar_ecg"
        if any(heading.startswith("rr-interval") for heading in headings):
            return "polar_rr"
        raise InputError(
            f"{table.path}: holds {', '.join(table.layout.headings[1:])[:100]} of Polar Sensor Logger; "
            "give its ECG or RR file"
        )
    if "rr" in headings and "since start" in headings:
        return "hrv_logger"
    if options.choices:
        return "csv"
    if options.rate_hz is None and table.layout.columns_n <= 2 and holds_intervals(table):
        return "rr_text"
    return "ecg_text" if table.layout.columns_n == 1 and not headings else "csv"


def _table_reader(key: str) -> Callable[[Table, ReadOptions], Recording]:
    from hbc_host.io import text_apps, text_plain

    return {
        "openbci": text_apps.read_openbci,
        "polar_ecg": text_apps.read_polar_ecg,
        "polar_rr": text_apps.read_polar_rr,
        "hrv_logger": text_apps.read_hrv_logger,
        "rr_text": text_plain.read_rr_text,
        "ecg_text": text_plain.read_ecg_column,
        "csv": text_plain.read_csv,
    }[key]


def _file_reader(key: str) -> Callable[[Path, ReadOptions], Recording]:
    """The reader, imported when it is needed: those of EDF, XDF and WFDB bring large packages with them."""
    if key in ("edf", "bdf"):
        from hbc_host.io.edf import read_edf

        return read_edf
    if key == "xdf":
        from hbc_host.io.xdf import read_xdf

        return read_xdf
    if key == "wfdb":
        from hbc_host.io.wfdb_import import read_wfdb_recording

        return read_wfdb_recording
    if key == "session":
        from hbc_host.io.session_import import read_session

        return read_session
    from hbc_host.io.import_folder import read_import

    return lambda path, options: read_import(path)
