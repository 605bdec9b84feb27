"""Fuzzing of the importers: small seeds, how bytes become files, and what must hold; for fuzzer and tests."""

from __future__ import annotations

import gzip
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hbc_host.imports import import_one
from hbc_host.io.import_folder import INFO_NAME
from hbc_host.io.recording import Choice, Labels, ReadOptions
from support_import import (
    Truth,
    check_any,
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
)

#: Long enough to be taken for a recording, short enough for a fuzzer.
SMALL = Truth(rate_hz=60.0, duration_s=12.0, triggers_s=(2.0, 2.1, 8.0))
POLAR = replace(SMALL, rate_hz=130.0, duration_s=10.5)
BETWEEN = b"\n%%%%\n"  # between the files of an input that needs several
FOLDER_FILES = (INFO_NAME, "ecg.tsv.gz", "beats.csv", "triggers.csv")


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / name
        write(path)
        return path.read_bytes()


def _european(path: Path) -> Path:
    return write_csv(path, SMALL, heading="t;ecg;ttl", divider=";", comma=True)


def _wfdb_seed() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        stem = write_wfdb(Path(place), "r", SMALL)
        return BETWEEN.join(stem.with_suffix(ending).read_bytes() for ending in (".hea", ".dat", ".tms"))


def _folder_seed() -> bytes:
    """An import with its ECG unpacked, so that the fuzzer changes numbers and not a checksum."""
    with tempfile.TemporaryDirectory() as place:
        truth = replace(SMALL, rate_hz=100.0)  # the least that the detector takes
        path, folder = write_edf(Path(place) / "a.edf", truth), Path(place) / "a"
        import_one(path, folder, ReadOptions(), labels=Labels())
        parts = [(folder / name).read_bytes() for name in FOLDER_FILES]
        info = json.loads(parts[0]) | {"notes": []}
        return BETWEEN.join([json.dumps(info).encode(), gzip.decompress(parts[1]), *parts[2:]])


def seeds(target: str) -> list[bytes]:
    """A few good inputs to begin with."""
    makers: dict[str, list[Callable[[], bytes]]] = {
        "edf": [
            lambda: _written("a.edf", lambda path: write_edf(path, SMALL)),
            lambda: _written("a.edf", lambda path: write_edf(path, SMALL, marks=False, channel=True)),
        ],
        "bdf": [lambda: _written("a.bdf", lambda path: write_bdf(path, SMALL))],
        "xdf": [lambda: _written("a.xdf", lambda path: write_xdf(path, SMALL))],
        "wfdb": [_wfdb_seed],
        "openbci": [lambda: _written("a.txt", lambda path: write_openbci(path, SMALL, lost=(9,)))],
        "polar": [
            lambda: _written("a.txt", lambda path: write_polar(path, POLAR, lost=(9,))),
            lambda: _written("a.txt", write_polar_rr),
        ],
        "rr": [
            lambda: _written("a.txt", write_rr),
            lambda: _written("a.txt", lambda path: write_rr(path, unit="s", times=True)),
            lambda: _written("a.csv", lambda path: write_hrv_logger(path, lost_ms=9000.0)),
        ],
        "csv": [
            lambda: _written("a.csv", lambda path: write_csv(path, SMALL)),
            lambda: _written(
                "a.csv", lambda path: write_csv(path, SMALL, heading="t;ecg;ttl", divider=";", comma=True)
            ),
            lambda: _written("a.csv", lambda path: write_csv(path, SMALL, heading="")),
            lambda: _written("a.csv", lambda path: write_ecg_text(path, SMALL)),
        ],
        "folder": [_folder_seed],
    }
    return [make() for make in makers[target]]


TARGETS = ("edf", "bdf", "xdf", "wfdb", "openbci", "polar", "rr", "csv", "folder")
_NAMES = {"edf": "a.edf", "bdf": "a.bdf", "xdf": "a.xdf"}


def check(target: str, data: bytes, place: Path | None = None) -> bool:
    """Any bytes are read, or refused in a line for people; True when they were read.

    The first byte of a table chooses whether columns are named by a person; the others are the file.
    """
    with tempfile.TemporaryDirectory(prefix="hbc-fuzz-", dir=place) as name:
        folder = Path(name)
        if target == "wfdb":
            parts = [*data.split(BETWEEN), b"", b""]
            for ending, part in zip((".hea", ".dat", ".tms"), parts, strict=False):
                (folder / f"r{ending}").write_bytes(part)
            return check_any(folder / "r") is not None
        if target == "folder":
            parts = [*data.split(BETWEEN), b"", b"", b"", b""]
            for file, part in zip(FOLDER_FILES, parts, strict=False):
                (folder / file).write_bytes(gzip.compress(part, 1) if file.endswith(".gz") else part)
            return check_any(folder) is not None
        path = folder / _NAMES.get(target, "a.csv")
        path.write_bytes(data)
        read = check_any(path) is not None
        if target == "csv":
            named = {"time": Choice("1", "ms"), "ecg": Choice("2", "uV"), "trigger": Choice("3")}
            for options in (ReadOptions(60.0), ReadOptions(60.0, named, True), ReadOptions(60.0, named)):
                read |= check_any(path, options) is not None
        return read


def damaged(seed: bytes, number: int) -> bytes:
    """A seed with a few bytes changed, removed or repeated: the same for the same number."""
    import numpy as np

    rng = np.random.default_rng(number)
    data = bytearray(seed)
    for _ in range(int(rng.integers(1, 6))):
        at, n = int(rng.integers(0, len(data))), int(rng.integers(1, 12))
        kind = int(rng.integers(0, 4))
        if kind == 0:
            data[at : at + n] = rng.integers(0, 256, n, np.uint8).tobytes()
        elif kind == 1:
            del data[at : at + n * int(rng.integers(1, 60))]
        elif kind == 2:
            data[at:at] = data[at : at + n * 8]
        else:
            data[at : at + 8] = struct.pack("<q", int(rng.integers(-(1 << 62), 1 << 62)))
        if not data:
            return b"0"
    return bytes(data)
