"""A campaign in pieces: what was run stays in a file, and the next call goes on where the last one ended.

The file is a table (CSV) with a line per run: version of the estimator, protocol, world, seed, run, verdict.
Runs of another version stay in the file and are not counted. Several files can be joined with ``cat``.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy

FIELDS = ("code", "protocol", "world", "seed", "run", "verdict")


class Outcome(NamedTuple):
    """One run of the campaign and what was made of it."""

    protocol: str
    world: str
    seed: int
    run: int
    verdict: str


@functools.lru_cache(maxsize=1)
def estimator_version() -> str:
    """Hash of the modules that an estimate and the worlds are made of, and of numpy's and scipy's version."""
    total = hashlib.sha256(f"{np.__version__} {scipy.__version__}".encode())
    worlds = Path(__file__).resolve().parent
    paths = {worlds / name for name in ("null_worlds.py", "null_verdict.py", "backgrounds.py")}
    for name, module in list(sys.modules.items()):
        if name.startswith("hbc_host.") and getattr(module, "__file__", None):
            paths.add(Path(str(module.__file__)))
    for path in sorted(paths, key=lambda path: path.name):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]


class Pieces:
    """What has been run, kept in a file when there is one.

    Parameters
    ----------
    path : Path or None
        Is made when it does not exist. A last line that was cut off by a crash is dropped.
    code : str
        Only runs of this version count.
    """

    def __init__(self, path: Path | None, code: str) -> None:
        self.path, self.code = path, code
        self.others_n = 0
        self._found: dict[tuple[str, str], dict[tuple[int, int], str]] = {}
        if path is not None:
            _mend(path)
            with path.open(newline="") as stream:
                for line in csv.DictReader(stream):
                    self._read(line)

    def _read(self, line: dict[str, str]) -> None:
        if line["code"] == FIELDS[0]:  # the heading of a file that was joined
            return
        if line["code"] != self.code:
            self.others_n += 1
            return
        self._count(line["protocol"], line["world"], int(line["seed"]), int(line["run"]), line["verdict"])

    def _count(self, protocol: str, world: str, seed: int, run: int, verdict: str) -> None:
        self._found.setdefault((protocol, world), {})[seed, run] = verdict

    def missing(self, protocol: str, world: str, seed: int, runs_n: int) -> list[int]:
        """Numbers of the runs below ``runs_n`` that are still to be made with this seed."""
        done = self._found.get((protocol, world), {})
        return [run for run in range(runs_n) if (seed, run) not in done]

    def add(self, outcomes: list[Outcome]) -> None:
        """Count runs and write them down."""
        for one in outcomes:
            self._count(one.protocol, one.world, one.seed, one.run, one.verdict)
        if self.path is not None:
            with self.path.open("a", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows((self.code, *one) for one in outcomes)

    def verdicts(self, protocol: str, world: str) -> Counter[str]:
        """Verdicts over all seeds."""
        return Counter(self._found.get((protocol, world), {}).values())


def _mend(path: Path) -> None:
    """A file with a heading and whole lines only."""
    if not path.exists() or path.stat().st_size == 0:
        path.write_text(",".join(FIELDS) + "\n")
        return
    content = path.read_bytes()
    whole_n = content.rfind(b"\n") + 1
    if whole_n < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole_n)
