"""Memory of each reader at its limit: a file as large as is read, and the peak of a process that reads it.

    python tests/study/import_memory.py [--folder DIR]           (writes some 900 MB, then removes it)

The limit that no reader may pass is ``hbc_host.io.limits.MEMORY_MAX_MB``; the program ends with 1 if one does.
"""

from __future__ import annotations

import argparse
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
import numpy as np
from hbc_host.io.limits import (
    BDF_MAX_BYTES,
    FILE_MAX_BYTES,
    MEMORY_MAX_MB,
    SAMPLES_MAX_N,
    XDF_MEMORY_MAX_BYTES,
    XDF_SAMPLE_BYTES,
    XDF_VALUE_COPIES,
)
from support_import import chunk, xdf_stream

BLOCK = np.random.default_rng(1).normal(0.0, 300.0, 1000)


def ecg_text(path: Path) -> None:
    """One value a line, as many as are read."""
    block = "".join(f"{value:.1f}\n" for value in BLOCK)
    path.write_text(block * (min(SAMPLES_MAX_N // 1000, FILE_MAX_BYTES // len(block)) - 1))


def csv(path: Path) -> None:
    """Time, ECG and trigger, as many lines as are read, made long by blanks to the largest file."""
    with path.open("w") as file:
        file.write("time_ms,ecg_uv,trigger\n")
        at = 0
        while at < SAMPLES_MAX_N // 3 - BLOCK.size:
            file.write("".join(f"{(at + n) * 2:18d},{value:10.1f},{n // 995:8d}\n" for n, value in enumerate(BLOCK)))
            at += BLOCK.size


def edf_like(path: Path, bdf: bool) -> None:
    """One ECG channel of as many samples as are read, and a trigger channel of the same length."""
    width, limit = (3, BDF_MAX_BYTES) if bdf else (2, FILE_MAX_BYTES)
    records_n = min(SAMPLES_MAX_N // 1000, limit // (2 * 1000 * width)) - 1
    fields = (
        [f"{label:<16}" for label in ("ECG", "Status")], [" " * 80] * 2, ["uV      "] * 2, ["-1000   "] * 2,
        ["1000    "] * 2, [f"{-(1 << 8 * width - 1):<8}"] * 2, [f"{(1 << 8 * width - 1) - 1:<8}"] * 2, [" " * 80] * 2,
        ["1000    "] * 2, [" " * 32] * 2,
    )  # fmt: skip
    head = f"{'':<80}{'':<80}01.01.2601.01.01{768:<8}{'':<44}{records_n:<8}{1:<8}{2:<4}"
    version = b"\xffBIOSEMI" if bdf else b"0       "
    block = (BLOCK * 10).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    with path.open("wb") as file:
        file.write(version + head.encode() + "".join("".join(field) for field in fields).encode())
        for _ in range(records_n):
            file.write(block + bytes(1000 * width))


def xdf(path: Path) -> None:
    """One ECG stream of single numbers, stamped once a chunk."""
    samples = b"".join(b"\x00" + struct.pack("<f", value) for value in BLOCK[1:])
    with path.open("wb") as file:
        file.write(b"XDF:" + xdf_stream(1, "ECG", "ECG", "float32", 500.0, [("ECG", "uV")]))
        at = 0
        while at < 0.99 * XDF_MEMORY_MAX_BYTES // (XDF_SAMPLE_BYTES + 4 * XDF_VALUE_COPIES):
            first = b"\x08" + struct.pack("<d", at / 500.0) + struct.pack("<f", BLOCK[0])
            file.write(chunk(3, struct.pack("<I", 1) + b"\x04" + struct.pack("<I", BLOCK.size) + first + samples))
            at += BLOCK.size


FILES = {
    "ecg.txt": ecg_text,
    "table.csv": csv,
    "ecg.edf": lambda path: edf_like(path, False),
    "ecg.bdf": lambda path: edf_like(path, True),
    "ecg.xdf": xdf,
}


def read(path: Path) -> None:
    """Read one file and print the peak of this process."""
    from hbc_host.io.recording import ReadOptions
    from hbc_host.io.registry import read_recording

    recording = read_recording(path, ReadOptions(500.0))
    assert recording.ecg is not None
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size_mb = path.stat().st_size / 1e6
    print(f"{path.name}: {size_mb:.0f} MB, {recording.ecg.ecg_mv.size} samples: peak {peak_mb:.0f} MB")
    sys.exit(peak_mb > MEMORY_MAX_MB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=list(FILES), help="one file")
    parser.add_argument("--read", type=Path, help="read this file and tell the peak")
    options = parser.parse_args()
    if options.read:
        read(options.read)
    failed = False
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for file, write in FILES.items():
            if options.only not in (None, file):
                continue
            path = Path(name) / file
            write(path)
            failed |= subprocess.run([sys.executable, __file__, "--read", str(path)], check=False).returncode != 0
            path.unlink()
    sys.exit(failed)


if __name__ == "__main__":
    main()
