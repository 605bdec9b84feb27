"""Which code makes a row: the modules of ours that an estimate can reach, and the versions of its libraries."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ENTRY = "hbc_host.cohort.estimates"
#: The wire and the detector are packages of ours, too: beats of an ECG depend on them.
OURS = ("hbc_host", "hbc_wire", "hbc_native")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash over the source of every module that :mod:`hbc_host.cohort.estimates` can reach, and of numpy's and scipy's
    version. Another hash means that the rows of a run may differ.
    """
    import numpy
    import scipy

    total = hashlib.sha256(f"{numpy.__version__} {scipy.__version__}".encode())
    for name, path in sorted(reachable().items()):
        total.update(name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def reachable() -> dict[str, Path]:
    """Modules of ours by name that the entry imports, at its head or inside a function, directly or by others."""
    found: dict[str, Path] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += [wanted for wanted in _imports(path) if wanted.partition(".")[0] in OURS]
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # it may be a module


def _file_of(name: str) -> Path | None:
    import importlib

    top, _, rest = name.partition(".")
    folder = importlib.import_module(top).__file__
    assert folder is not None
    place = Path(folder).parent.joinpath(*rest.split(".")) if rest else Path(folder).parent
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None
