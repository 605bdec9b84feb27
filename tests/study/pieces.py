"""A study in pieces: what was run stays in a file, and the next call goes on where the last one ended.

The file is a table (CSV) with a line per run: version of the code, then the fields of the run's row. Runs of another
version stay in the file and are not counted. Several files can be joined with ``cat``.
"""

from __future__ import annotations

import ast
import csv
import functools
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

import numpy as np
import scipy
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

#: A named tuple: fields that say which cell of the table (str, int or float), then ``seed``, ``run``, then findings.
Row = TypeVar("Row", bound=tuple[Any, ...])
Cell = tuple[str | int | float, ...]
#: Runs that are made and written down together.
PIECE_N = 20
HERE = Path(__file__).resolve().parent
#: Keeps and counts runs, and has no part in what they find.
INFRASTRUCTURE = ("pieces",)


def code_version(root: str, *, without: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> str:
    """Hash of all code that findings hang on, and of numpy's and scipy's version. Recordings are not in it.

    Parameters
    ----------
    root : str
        Module of this folder that makes the findings; it counts with all that it imports from here and from hbc_host.
    without : tuple of str
        Modules that the findings do not hang on.
    folders : tuple of str
        Folders of the repository of which all Python and C counts as well.
    """
    total = hashlib.sha256(f"{np.__version__} {scipy.__version__}".encode())
    paths = {path for path in made_of(root) if path.stem not in (*without, *INFRASTRUCTURE)}
    for folder in folders:
        paths |= {path for path in (HERE.parents[1] / folder).rglob("*") if path.suffix in (".py", ".c", ".h")}
    for path in sorted(paths, key=lambda path: (path.name, str(path))):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]


def made_of(root: str) -> set[Path]:
    """Files of a module of this folder and of all that it imports from here and from hbc_host, at whatever depth."""
    found: set[Path] = set()
    todo = [root]
    while todo:
        name = todo.pop()
        spec = importlib.util.find_spec(name)
        path = None if spec is None or spec.origin is None else Path(spec.origin)
        is_ours = path is not None and (name.split(".")[0] == "hbc_host" or path.parent == HERE)
        if path is None or not is_ours or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                # What is imported may be a module itself; what is none has no file.
                todo += [
                    node.module,
                    *(f"{node.module}.{alias.name}" for alias in node.names if _is_package(node.module)),
                ]
            elif isinstance(node, ast.Import):
                todo += [alias.name for alias in node.names]
    return found


def _is_package(name: str) -> bool:
    return name.split(".")[0] == "hbc_host" and importlib.util.find_spec(name).submodule_search_locations is not None  # type: ignore[union-attr]


class Pieces(Generic[Row]):
    """What has been run, kept in a file when there is one.

    Parameters
    ----------
    path : Path or None
        Is made when it does not exist. A last line that was cut off by a crash is dropped.
    code : str
        Only runs of this version count.
    kind : type of named tuple
        What a run's row is made of.
    """

    def __init__(self, path: Path | None, code: str, kind: type[Row]) -> None:
        self.path, self.code, self.others_n = path, code, 0
        self._kind: Callable[..., Row] = kind
        self._fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # a named tuple has them
        self._cell_n = self._fields.index("seed")
        self._found: dict[Cell, dict[tuple[int, int], Row]] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            heading = ("code", *self._fields)
            _mend(path, heading)
            readers = [_READERS[hint] for hint in (get_type_hints(kind)[field] for field in self._fields)]
            with path.open(newline="") as stream:
                for line in csv.reader(stream):
                    if not line or tuple(line) == heading:  # also of a file that was joined
                        continue
                    if line[0] != code:
                        self.others_n += 1
                        continue
                    self._count(self._kind(*(read(text) for read, text in zip(readers, line[1:], strict=True))))

    def _count(self, row: Row) -> None:
        seed, run = row[self._cell_n : self._cell_n + 2]
        self._found.setdefault(row[: self._cell_n], {})[seed, run] = row

    def missing(self, cell: Cell, seed: int, runs_n: int) -> list[int]:
        """Numbers of the runs below ``runs_n`` that are still to be made with this seed."""
        done = self._found.get(cell, {})
        return [run for run in range(runs_n) if (seed, run) not in done]

    def add(self, rows: list[Row]) -> None:
        """Count runs and write them down."""
        for row in rows:
            self._count(row)
        if self.path is not None:
            with self.path.open("a", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows((self.code, *row) for row in rows)

    def rows(self, cell: Cell) -> list[Row]:
        """Runs of a cell, over all seeds."""
        return list(self._found.get(cell, {}).values())

    def chosen(self, cells: Iterable[Cell], seed: int, runs_n: Callable[[Cell], int]) -> dict[Cell, list[Row]]:
        """Runs of these cells with this seed, of each as many, in order; only cells that have any."""
        found = {}
        for cell in cells:
            rows, whole_n = self._found.get(cell, {}), runs_n(cell)
            some = [rows[seed, run] for run in range(whole_n) if (seed, run) in rows]
            if some:
                found[cell] = some
        return found


def _is_true(text: str) -> bool:
    return text == "True"


_READERS: dict[Any, Callable[[str], Any]] = {str: str, int: int, float: float, bool: _is_true}


def _mend(path: Path, heading: tuple[str, ...]) -> None:
    """A file with a heading and whole lines only."""
    if not path.exists() or path.stat().st_size == 0:
        path.write_text(",".join(heading) + "\n")
        return
    content = path.read_bytes()
    whole_n = content.rfind(b"\n") + 1
    if whole_n < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole_n)


Task = tuple[Cell, int, list[int]]


def tasks(cells: Iterable[Cell], seed: int, runs_n: Callable[[Cell], int], pieces: Pieces[Row]) -> list[Task]:
    """What is still to be run, all cells growing together, so that a table of half the runs is a table."""
    found: list[tuple[float, Task]] = []
    for cell in cells:
        whole_n = runs_n(cell)
        runs = pieces.missing(cell, seed, whole_n)
        found += [
            (1.0 - (len(runs) - at) / whole_n, (cell, seed, runs[at : at + PIECE_N]))
            for at in range(0, len(runs), PIECE_N)
        ]
    return [task for _, task in sorted(found, key=lambda item: item[0])]


def carry_out(
    make: Callable[[Cell, int, list[int]], list[Row]], todo: Sequence[Task], jobs_n: int, what: str = "runs"
) -> Iterator[list[Row]]:
    """Finished pieces, from as many processes; the bar is for people who wait at a terminal."""
    console = Console(stderr=True)
    one_core = functools.partial(_on_one_core, make)
    if jobs_n == 1 or not todo:
        done = (one_core(*task) for task in todo)
        yield from track(done, what, total=len(todo), console=console, disable=not console.is_terminal)
        return
    with ProcessPoolExecutor(jobs_n) as pool:
        made = pool.map(one_core, *zip(*todo, strict=True))
        yield from track(made, what, total=len(todo), console=console, disable=not console.is_terminal)


def _on_one_core(
    make: Callable[[Cell, int, list[int]], list[Row]], cell: Cell, seed: int, runs: list[int]
) -> list[Row]:
    with threadpool_limits(limits=1):
        return make(cell, seed, runs)
