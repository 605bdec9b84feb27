"""Which board a box has: as asked, as it was flashed before, or as its chip says."""

from __future__ import annotations

import re

from hbc_host.box.app_files import sources
from hbc_host.box.chips import CHIPS, Chip, chip_names, chip_of_machine
from hbc_host.errors import FlashError


def choose_board(asked: str, chip: Chip | None, on_box: str | None, machine: str) -> str:
    """Name of the board: as asked, else as the box was flashed before, else the chip's own.

    Raises
    ------
    FlashError
        Nothing tells, or what the box says of its chip contradicts.
    """
    known = board_names()
    told = chip_of_machine(machine)
    if chip is not None and told is not None and chip != told:
        raise FlashError(f"the interpreter is for the {told.label}, the chip is an {chip.label}; flash with --firmware")
    chip = chip or told
    before = (on_box or "").strip()
    board = asked or (before if before in known else "") or (chip.board if chip else "")
    if not board:
        raise FlashError(
            f"the interpreter calls its machine {machine!r}, which is none of {chip_names()}; "
            f"give the board with --board ({', '.join(known)})"
        )
    if chip is not None and not board.startswith(chip.name + "-"):
        if asked:
            raise FlashError(f"--board {board} is not for the {chip.label}; leave it away or take {chip.board}")
        return chip.board
    return board


def board_names() -> tuple[str, ...]:
    """Names of the boards that the firmware knows, read from its sources."""
    texts = [path.read_text("utf-8") for target, path in sources().items() if target.startswith("hbc_boards/")]
    found = {name for text in texts for name in re.findall(r'^\s+NAME = b"([\w-]+)"', text, re.MULTILINE)}
    return tuple(sorted(found | {chip.board for chip in CHIPS}))
