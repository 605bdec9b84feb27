"""Leave-half-out check of the detector's constants: chosen on one half of the records, scored on the other.

    python tests/study/detector_halves.py FOLDER [--seed 1] [--passes 2] [--only HOLD_MS,SHAPE_GAIN] [--noise FOLDER]

The constants are those that native/src defines as HBC_TUNE_... behind #ifndef, whole numbers. Each is tried at its
default and at two values on either side, 12 and 25 % away (or 1 and 2), one after the other (coordinate descent), by
compiling the C anew. A value is taken when it raises the gross F1 of the half and makes fewer errors on more records
than it makes more on, so that no single record decides; ``--gross`` drops the second condition. Halves are every other
record, or drawn with ``--seed``. ``--noise`` also prints what each pick does to records it never saw (nstdb).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI
from detector_scores import Counts, FloatArray, Record, RecordScore, load, record_paths, score
from numpy.typing import NDArray

NATIVE = Path(__file__).resolve().parents[2] / "native"
sys.path.insert(0, str(NATIVE))
from build_native import prototypes  # noqa: E402  (the header's declarations, read in one place)

Values = tuple[tuple[str, int], ...]
TUNED = re.compile(r"^#ifndef (HBC_TUNE_(\w+))\s*\n#define \1 +\(?(-?\d+)\)?", re.MULTILINE)
LSB_PER_MV = 1000
CORES_N = 2


@dataclass(frozen=True)
class Task:
    """A record and the samples that the detector gets: int16, the last value held until the last peak is due."""

    record: Record
    samples_lsb: NDArray[np.int16]


def tuned_constants(native: Path) -> dict[str, int]:
    """Names without their prefix, and defaults, in the order of the sources."""
    found: dict[str, int] = {}
    for source in [*sorted((native / "include").glob("*.h")), *sorted((native / "src").glob("*.[ch]"))]:
        found.update({name: int(value) for _, name, value in TUNED.findall(source.read_text(encoding="utf-8"))})
    return found


def task_of(path: Path) -> Task:
    record = load(path)
    lsb = np.clip(np.rint(LSB_PER_MV * record.ecg_mv), -32768, 32767).astype(np.int16)
    return Task(record, np.concatenate([lsb, np.full(int(record.rate_hz), lsb[-1])]))


class Variants:
    """Scores of the detector with other constants; each variant is compiled and run once."""

    def __init__(self, native: Path, folder: Path, tasks: Sequence[Task]) -> None:
        self._native, self._folder, self._tasks = native, folder, tasks
        headers = [native / "include" / f"{name}.h" for name in ("hbc_artefact", "hbc_rpeak")]
        self._header = "\n".join(prototypes(header.read_text(encoding="utf-8")) for header in headers)
        self._scores: dict[Values, list[RecordScore] | None] = {}

    @property
    def tried_n(self) -> int:
        return len(self._scores)

    def scores(self, values: Values) -> list[RecordScore] | None:
        """One score a record, None when the sources refuse these values."""
        if values not in self._scores:
            self._scores[values] = self._run(values)
        return self._scores[values]

    def gross(self, values: Values, names: frozenset[str]) -> Counts | None:
        scores = self.scores(values)
        return None if scores is None else sum((one.whole for one in scores if one.record in names), Counts())

    def _run(self, values: Values) -> list[RecordScore] | None:
        library = self._folder / ("v" + "_".join(f"{value}" for _, value in values) + ".so")
        defines = [f"-DHBC_TUNE_{name}={value}" for name, value in values]
        sources = [str(source) for source in sorted((self._native / "src").glob("*.c"))]
        command = ["gcc", "-std=c99", "-O2", "-w", "-shared", "-fPIC", f"-I{self._native / 'include'}", *defines]
        if not library.exists():
            built = subprocess.run([*command, *sources, "-o", str(library)], capture_output=True, check=False)
            if built.returncode != 0:
                return None
        ffi = FFI()
        ffi.cdef(self._header)
        lib = ffi.dlopen(str(library))
        found = [find(ffi, lib, task) for task in self._tasks]
        if any(one is None for one in found):
            return None
        return [score(task.record, one) for task, one in zip(self._tasks, found, strict=True) if one is not None]


def find(ffi: FFI, lib: Any, task: Task) -> FloatArray | None:
    """Peak positions in samples as hbc_native.detect() gives them; None when init refuses."""
    state = ffi.new("hbc_rpeak *")
    if lib.hbc_rpeak_init(state, round(task.record.rate_hz)) != lib.HBC_RPEAK_OK:
        return None
    fields = dict(ffi.typeof("hbc_rpeak_peak").fields)
    peak_dtype = np.dtype(
        {
            "names": ["sample_idx", "frac_q8"],
            "formats": ["<u4", "u1"],
            "offsets": [fields["sample_idx"].offset, fields["frac_q8"].offset],
            "itemsize": ffi.sizeof("hbc_rpeak_peak"),
        }
    )
    samples = task.samples_lsb
    peaks = np.zeros(len(samples) // 15 + 16, peak_dtype)
    found_n = lib.hbc_rpeak_push_block(
        state, ffi.from_buffer("int16_t[]", samples), ffi.NULL, len(samples),
        ffi.cast("hbc_rpeak_peak *", ffi.from_buffer(peaks)), len(peaks),
    )  # fmt: skip
    positions = peaks["sample_idx"][:found_n] + peaks["frac_q8"][:found_n] / 256
    return np.unique(positions[positions <= len(task.record.ecg_mv) - 1])


def grid(default: int) -> list[int]:
    """Default, and two values on either side, of the same sign."""
    near, far = max(1, round(0.12 * abs(default))), max(2, round(0.25 * abs(default)))
    values = [default, default - near, default + near, default - far, default + far]
    return [value for value in values if value * default > 0 or value == default]


@dataclass(frozen=True)
class Search:
    """How constants are chosen: which, how often each is visited, and by gross F1 alone or by most records too."""

    free: Sequence[str]
    passes_n: int
    gross_only: bool

    def descend(self, variants: Variants, start: Values, names: frozenset[str]) -> Values:
        """Best values for some records, one constant at a time; a tie keeps what is there."""
        best = start
        for _ in range(self.passes_n):
            before = best
            for name in self.free:
                choices = [tuple({**dict(best), name: value}.items()) for value in grid(dict(start)[name])]
                with ThreadPoolExecutor(CORES_N) as pool:
                    list(pool.map(variants.scores, choices))
                held = best
                for values in choices:
                    higher = f1_on(variants, values, names) > f1_on(variants, best, names)
                    if higher and (self.gross_only or helps_most(variants, values, held, names)):
                        best = values
            if best == before:
                break
        return best


def helps_most(variants: Variants, values: Values, held: Values, names: frozenset[str]) -> bool:
    """True when more of the records have fewer errors with ``values`` than with ``held``, than have more."""
    pairs = zip(variants.scores(values) or [], variants.scores(held) or [], strict=True)
    changes = [new.whole.errors_n - old.whole.errors_n for new, old in pairs if new.record in names]
    return sum(change < 0 for change in changes) > sum(change > 0 for change in changes)


def halves_of(names: Sequence[str], seed: int | None) -> tuple[frozenset[str], frozenset[str]]:
    order = list(names) if seed is None else [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    return frozenset(order[::2]), frozenset(order[1::2])


def f1_on(variants: Variants, values: Values, names: frozenset[str]) -> float:
    counts = variants.gross(values, names)
    return float("nan") if counts is None else counts.f1_pct


def report(variants: Variants, start: Values, halves: Sequence[frozenset[str]], picks: Sequence[Values]) -> None:
    held_out = Counts()
    for home, away, pick in zip(halves, reversed(halves), picks, strict=True):
        changed = [f"{name} {old} -> {new}" for (name, old), (_, new) in zip(start, pick, strict=True) if old != new]
        print(f"chosen on {' '.join(sorted(home))}: {', '.join(changed) or 'the default'}")
        print(
            f"  F1 there {f1_on(variants, pick, home):.3f} (default {f1_on(variants, start, home):.3f}), "
            f"on the other half {f1_on(variants, pick, away):.3f} (default {f1_on(variants, start, away):.3f})"
        )
        held_out += variants.gross(pick, away) or Counts()
    everything = frozenset().union(*halves)
    default_pct = f1_on(variants, start, everything)
    print(f"gross F1 held out {held_out.f1_pct:.3f}, default {default_pct:.3f}", end=", ")
    print(f"difference {held_out.f1_pct - default_pct:+.3f}; {variants.tried_n} variants tried")


def report_noise(native: Path, folder: Path, noise: Path, all_values: Sequence[Values]) -> None:
    variants = Variants(native, folder, [task_of(path) for path in record_paths(noise, "118e")])
    for name, values in zip(["default", "first pick", "second pick"], all_values, strict=True):
        late = sum((one.late for one in variants.scores(values) or []), Counts())
        print(f"noise records, after 5 min, {name}: F1 {late.f1_pct:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="annotated WFDB records")
    parser.add_argument("--seed", type=int, help="draw the halves; without it they are every other record")
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--gross", action="store_true", help="choose by gross F1 alone")
    parser.add_argument("--only", default="", help="constants, comma separated, without HBC_TUNE_")
    parser.add_argument("--noise", type=Path, help="folder of nstdb, reported only")
    parser.add_argument("--native", type=Path, default=NATIVE, help="another copy of native/")
    options = parser.parse_args()
    constants = tuned_constants(options.native)
    free = options.only.split(",") if options.only else list(constants)
    tasks = [task_of(path) for path in record_paths(options.folder)]
    if len(tasks) < 2:
        sys.exit(f"{len(tasks)} annotated records in {options.folder}; halves need two at least")
    if not free or not set(free) <= set(constants):
        sys.exit(
            f"cannot choose {free or 'anything'}: the sources define HBC_TUNE_ for {sorted(constants) or 'nothing'}"
        )
    start = tuple(constants.items())
    halves = halves_of([task.record.name for task in tasks], options.seed)
    with tempfile.TemporaryDirectory() as folder:
        variants = Variants(options.native, Path(folder), tasks)
        search = Search(free, options.passes, options.gross)
        picks = [search.descend(variants, start, half) for half in halves]
        report(variants, start, halves, picks)
        if options.noise:
            report_noise(options.native, Path(folder), options.noise, [start, *picks])


if __name__ == "__main__":
    main()
