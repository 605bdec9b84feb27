"""The app onto the box, file by file: only what differs, and in an order that a pulled cable cannot spoil.

``main.py`` and the manifest go first when anything is to change, and come back last. Whatever happens in between, the
box boots into its prompt, and the next run copies what is still missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from hbc_host.box.app_files import MAIN, PACKAGES, TOP, AppFile
from hbc_host.box.repl import Repl
from hbc_host.errors import FlashError

MANIFEST = "hbc_app.json"
BOARD_FILE = "board.txt"
SPARE_N = 16 * 1024  # for settings, boot counter and crash notes


@dataclass(frozen=True)
class Plan:
    """What an installation has to do.

    Attributes
    ----------
    copy : tuple of AppFile
        In this order; ``main.py`` last.
    remove : tuple of str
        Files of an older app; a stale ``.py`` would even hide the ``.mpy`` of the same name.
    keep_n : int
        Files that are right already.
    """

    copy: tuple[AppFile, ...]
    remove: tuple[str, ...]
    keep_n: int

    @property
    def bytes_n(self) -> int:
        """Bytes to copy."""
        return sum(len(file.data) for file in self.copy)


def plan_for(files: Sequence[AppFile], on_box: Mapping[str, str]) -> Plan:
    """Compare the files of the app with what a box has.

    Parameters
    ----------
    files : sequence of AppFile
    on_box : mapping
        Path -> SHA-256 in hex.
    """
    copy = [file for file in files if on_box.get(file.path) != file.sha256]
    ours = {file.path for file in files}
    remove = sorted(path for path in on_box if path not in ours and _is_app_path(path))
    if (copy or remove) and MAIN not in {file.path for file in copy}:
        copy += [file for file in files if file.path == MAIN]  # it is taken away before anything changes
    copy.sort(key=lambda file: file.path == MAIN)
    return Plan(tuple(copy), tuple(remove), len(files) - len(copy))


def _is_app_path(path: str) -> bool:
    """True for a file that only our app can have put there."""
    tops = [name.removesuffix(".py") for name in (*TOP, MAIN)]
    return path.split("/")[0] in PACKAGES or path in [top + end for top in tops for end in (".py", ".mpy")]


def manifest_text(files: Sequence[AppFile], facts: Mapping[str, str]) -> str:
    """The manifest: who installed what for whom, and the hash of every file."""
    document = {**facts, "files": {file.path: file.sha256 for file in files}}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def install(
    repl: Repl,
    files: Sequence[AppFile],
    facts: Mapping[str, str],
    free_n: int,
    progress: Callable[[float], None],
) -> Plan:
    """Bring the app on the box to what it should be; return what had to be done.

    Parameters
    ----------
    repl : Repl
    files : sequence of AppFile
        For this interpreter (:func:`hbc_host.box.app_files.build_app`).
    facts : mapping
        Goes into the manifest; ``facts["board"]`` into ``board.txt``.
    free_n : int
        Free bytes of its file system.
    progress : callable
        Gets the share done, 0 to 1.

    Raises
    ------
    FlashError
        The app does not fit, or a file on the box is not what was sent.
    TransportError
        The port went away; run it again.
    """
    on_box = repl.hashes()
    plan = plan_for(files, on_box)
    manifest = manifest_text(files, facts)
    board = facts["board"].encode()
    if plan.bytes_n + SPARE_N > free_n:
        raise FlashError(
            f"the app needs {plan.bytes_n + SPARE_N} bytes, the box has {free_n} left; "
            f"run `hbc box flash --firmware FILE --erase`"
        )
    same = on_box.get(MANIFEST) == sha256(manifest.encode()).hexdigest()
    if not plan.copy and not plan.remove and same and on_box.get(BOARD_FILE) == sha256(board).hexdigest():
        progress(1.0)
        return plan
    repl.remove(MANIFEST)
    if plan.copy:
        repl.remove(MAIN)
    _write_whole(repl, BOARD_FILE, board)
    for path in plan.remove:
        repl.remove(path)
    _copy(repl, plan, progress)
    _write_whole(repl, MANIFEST, manifest.encode())
    return plan


def _write_whole(repl: Repl, path: str, data: bytes, count: Callable[[int], None] | None = None) -> None:
    """Whole or not at all, wherever the cable is pulled."""
    repl.write(path + ".new", data, count)
    repl.rename(path + ".new", path)


def _copy(repl: Repl, plan: Plan, progress: Callable[[float], None]) -> None:
    done_n = 0
    for file in plan.copy:
        if file.path == MAIN:
            _verify(repl, [other for other in plan.copy if other.path != MAIN])

        def count(n: int, before_n: int = done_n) -> None:
            progress((before_n + n) / max(plan.bytes_n, 1))

        if file.path == MAIN:  # whole or not at all: half of it would boot
            _write_whole(repl, MAIN, file.data, count)
        else:
            repl.write(file.path, file.data, count)
        done_n += len(file.data)
    if plan.copy:
        _verify(repl, plan.copy)
    progress(1.0)


def _verify(repl: Repl, files: Sequence[AppFile]) -> None:
    on_box = repl.hashes()
    wrong = [file.path for file in files if on_box.get(file.path) != file.sha256]
    if wrong:
        raise FlashError(
            f"{len(wrong)} files on the box are not what was sent, first {wrong[0]}; run the same command again; if it "
            f"stays so the chip's flash is worn"
        )
