"""``hbc box flash`` from beginning to end: interpreter if asked for, app, start, introduction."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbc_wire.messages import WIRE_VERSION

from hbc_host import __version__
from hbc_host.box.app_files import AppFile, arch_of, build_app
from hbc_host.box.boards import board_names, choose_board
from hbc_host.box.bootloader import connected
from hbc_host.box.chips import CHIPS, MICROPYTHON_MIN, Chip, chip_named
from hbc_host.box.image import FirmwareImage, check_fits, least, read_image
from hbc_host.box.install import BOARD_FILE, Plan, install
from hbc_host.box.reach import (
    APP,
    BOOT_S,
    EMPTY,
    OTHER_APP,
    PROMPT,
    RETRY_S,
    Found,
    interrupt_boot,
    look,
    look_until,
    to_prompt,
    wait_for_hello,
)
from hbc_host.box.repl import Interpreter, Repl, opened
from hbc_host.errors import FlashError, NoHelloError
from hbc_host.transport import SerialTransport

Say = Callable[[str], None]
Bar = Callable[[str], AbstractContextManager[Callable[[float], None]]]
CRASH_FILE = "crash.txt"


@dataclass(frozen=True)
class FlashOptions:
    """What the user asked for: image of an interpreter, chip (``auto``), board (empty: the chip's own), erase first."""

    firmware: Path | None = None
    chip: str = "auto"
    board: str = ""
    erase: bool = False


@dataclass(frozen=True)
class Flashed:
    """How it went.

    Attributes
    ----------
    port, board, arch, machine : str
    micropython : str
        Version on the box.
    interpreter_pieces_n : int or None
        Pieces of the interpreter that had to be written; None when none was asked for.
    copied_n, kept_n, removed_n, copied_bytes_n : int
        Files of the app.
    hello : namedtuple Hello
        The box after its restart.
    """

    port: str
    board: str
    arch: str
    machine: str
    micropython: str
    interpreter_pieces_n: int | None
    copied_n: int
    kept_n: int
    removed_n: int
    copied_bytes_n: int
    hello: Any


def flash_box(port: str, options: FlashOptions, say: Say, bar: Bar) -> Flashed:
    """Bring a box to this release; run it again after any failure and it goes on where it stopped.

    Parameters
    ----------
    port : str
    options : FlashOptions
    say : callable
        Gets each step as a line for the user.
    bar : callable
        Gets a text, returns a context manager that yields a function of the share done.

    Raises
    ------
    FlashError
        Wrong file, wrong chip, no interpreter, or the app does not start; each says what to do.
    TransportError, VersionMismatchError
        The port cannot be used; the box speaks another wire version even after flashing.
    """
    image, asked = _checked(options)
    pieces_n, chip = None, asked
    if image is not None:
        pieces_n = _write_interpreter(port, image, options, say, bar)
        chip = image.chip
        found = look_until(port, lambda now: now.kind in (APP, OTHER_APP, PROMPT))
    else:
        found = look(port)
    say(f"at {port}: {_words(found)}")
    if found.kind not in (APP, OTHER_APP, PROMPT):
        found = _woken(port, found.kind, chip)
    to_prompt(port, found)
    with opened(port) as repl:
        who = repl.who()
        _check_interpreter(who)
        board = choose_board(options.board, chip, repl.read(BOARD_FILE), who.machine)
        arch = arch_of(who.mpy)
        say(f"MicroPython {_dotted(who)} ({who.machine}), board {board}, code for {arch}")
        plan = _install(repl, build_app(arch), who, board, arch, bar)
        say(f"app: {len(plan.copy)} files copied ({plan.bytes_n} bytes), {plan.keep_n} were right already")
        repl.restart()
    return Flashed(
        port, board, arch, who.machine, _dotted(who), pieces_n,
        len(plan.copy), plan.keep_n, len(plan.remove), plan.bytes_n, introduced(port),
    )  # fmt: skip


def _checked(options: FlashOptions) -> tuple[FirmwareImage | None, Chip | None]:
    """Image and chip as asked for; everything that can be refused without a box is refused here."""
    chip = None if options.chip == "auto" else chip_named(options.chip)
    if options.chip != "auto" and chip is None:
        raise FlashError(f"--chip {options.chip} is none of {', '.join(known.name for known in CHIPS)} or auto")
    if options.board and options.board not in board_names():
        raise FlashError(f"--board {options.board} is none of {', '.join(board_names())}")
    if options.firmware is None:
        if options.erase:
            raise FlashError("--erase removes the interpreter, too; give one with --firmware MICROPYTHON.bin")
        return None, chip
    image = read_image(options.firmware)
    if chip is not None:
        check_fits(image, chip)
    return image, chip


def _write_interpreter(port: str, image: FirmwareImage, options: FlashOptions, say: Say, bar: Bar) -> int:
    transport = SerialTransport(port)  # a port that is absent, busy or forbidden is told in our words
    transport.open()
    transport.close()
    with connected(port) as boot:
        say(
            f"chip {boot.chip.label}; file: MicroPython {image.version_text} for {image.chip.label}, "
            f"SHA-256 {image.sha256[:16]}"
        )
        check_fits(image, boot.chip)
        with bar("writing MicroPython") as progress:
            pieces_n = boot.write(image, progress, erase=options.erase)
        say(
            "MicroPython was there already" if not pieces_n else f"MicroPython written and verified ({pieces_n} pieces)"
        )
        boot.reset()
    time.sleep(RETRY_S)  # the port of a chip with USB of its own leaves with the reset, and is not to be held
    return pieces_n


def _woken(port: str, kind: str, chip: Chip | None) -> Found:
    """A port without app or prompt: one try to interrupt what runs there, then the question is which chip it is."""
    if kind != EMPTY and interrupt_boot(port):
        return Found(PROMPT)
    with connected(port) as boot:
        label, wanted = boot.chip.label, boot.chip
        boot.reset()
    if chip is not None and chip != wanted:
        raise FlashError(f"this box has an {label}, not an {chip.label}; leave --chip away")
    raise FlashError(
        f"there is no MicroPython on this {label} yet: download the newest .bin of {wanted.download} from "
        f"{wanted.where}, then run `hbc box flash --port {port} --firmware FILE.bin`"
    )


def _check_interpreter(who: Interpreter) -> None:
    if who.version[:2] < MICROPYTHON_MIN:
        raise FlashError(
            f"the box runs MicroPython {_dotted(who)}, {least()} is needed; give a newer one with --firmware"
        )


def _install(repl: Repl, files: tuple[AppFile, ...], who: Interpreter, board: str, arch: str, bar: Bar) -> Plan:
    facts = {
        "board": board, "arch": arch, "micropython": _dotted(who),
        "host_version": __version__, "wire_version": str(WIRE_VERSION),
    }  # fmt: skip
    with bar("copying the app") as progress:
        return install(repl, files, facts, who.free_n, progress)


def introduced(port: str) -> Any:
    """The Hello of the box after its restart.

    Raises
    ------
    FlashError
        The app does not start; with the last line of its crash, when there is one.
    VersionMismatchError, TransportError
    """
    try:
        return wait_for_hello(port)
    except NoHelloError:
        found = look(port)
        if found.kind != PROMPT:
            raise FlashError(
                f"all files are on the box, but its app did not introduce itself within {BOOT_S:g} s; "
                f"press EN (RESET), then run `hbc box info --port {port}`"
            ) from None
        with opened(port) as repl:
            crash = (repl.read(CRASH_FILE) or "").strip().splitlines()
        raise FlashError(
            f"the app does not start on this box: {crash[-1] if crash else 'it says nothing'}; "
            f"run `hbc box recover --port {port}`"
        ) from None


def _words(found: Found) -> str:
    if found.kind == APP:
        return f"box {found.hello.unique_id}, {found.hello.firmware}, wire version {found.hello.wire_version}"
    return {
        OTHER_APP: "a box whose firmware speaks another wire version",
        PROMPT: "the prompt of an interpreter",
        EMPTY: "a chip without a program",
    }.get(found.kind, "no box and no prompt answers yet")


def _dotted(who: Interpreter) -> str:
    return ".".join(str(part) for part in who.version)
