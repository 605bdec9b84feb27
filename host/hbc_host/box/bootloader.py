"""The interpreter goes into the chip: esptool speaks with the boot ROM, we say what and where.

The image is written in pieces, its first one last: a half-written chip never looks bootable, and what is already
right is skipped when the same command runs again.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hbc_host.box.chips import Chip, chip_named, chip_names
from hbc_host.errors import FlashError

if TYPE_CHECKING:
    from hbc_host.box.image import FirmwareImage

log = logging.getLogger(__name__)

PIECE_N = 64 * 1024  # flash sectors are 4 KiB; smaller pieces cost a hash and an answer each
FAST_BAUD = 460800  # every USB bridge of an ESP32 board can; the ROM itself begins at 115200
TRIES_N = 4
HOW_TO_ENTER = (
    "hold the button BOOT (IO0) of the board, press and release EN (RESET), let BOOT go, then run the same command "
    "again"
)


class Bootloader:
    """A chip that waits in its boot ROM. Made by :func:`connected`.

    Attributes
    ----------
    chip : Chip
    """

    def __init__(self, port: str, rom: Any, chip: Chip) -> None:
        self.port, self.chip, self._rom = port, chip, rom

    def write(self, image: FirmwareImage, progress: Callable[[float], None], *, erase: bool = False) -> int:
        """Write an image, skipping what is in flash already; every piece is verified by its MD5 in flash.

        Parameters
        ----------
        image : FirmwareImage
            For this chip.
        progress : callable
            Gets the share done, 0 to 1.
        erase : bool
            Erase the whole chip first: settings, boot counter and files, too.

        Returns
        -------
        int
            Pieces that had to be written.

        Raises
        ------
        FlashError
            The connection broke, or flash does not hold what was written.
        """
        from esptool.cmds import attach_flash, erase_flash, run_stub, write_flash

        done = 0.0
        written_n = 0
        with _plain_errors(self.port, lambda: f"at {100 * done:.0f} %"):
            stub = self._rom
            if not stub.IS_STUB:
                stub = self._rom = run_stub(self._rom)
                stub.WRITE_FLASH_ATTEMPTS = 1  # no waiting for a cable to come back: the next run resumes
                stub.change_baud(FAST_BAUD)
                attach_flash(stub)
            if erase:
                erase_flash(stub)
            pieces = list(pieces_of(image.data))
            for k, (at, piece) in enumerate(pieces):
                if stub.flash_md5sum(image.chip.image_at + at, len(piece)) != md5_of(piece):
                    write_flash(stub, [(image.chip.image_at + at, piece)], no_progress=True)
                    written_n += 1
                done = (k + 1) / len(pieces)
                progress(done)
        return written_n

    def reset(self) -> None:
        """Start what is in flash, by the line RTS (the usual circuit ties it to the chip's reset)."""
        from esptool.cmds import reset_chip

        with _plain_errors(self.port, lambda: "while it was reset"):
            reset_chip(self._rom)


def pieces_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Place and bytes of each piece, the first one last; each length is a multiple of 4."""
    padded = data + b"\xff" * (-len(data) % 4)
    starts = range(0, len(padded), PIECE_N)
    for at in [*starts[1:], 0]:
        yield at, padded[at : at + PIECE_N]


def md5_of(piece: bytes) -> str:
    """As the chip computes it."""
    from hashlib import md5

    return md5(piece, usedforsecurity=False).hexdigest()


@contextmanager
def connected(port: str) -> Iterator[Bootloader]:
    """Reset the chip into its boot ROM and say which one it is; the port is given back in any case.

    Raises
    ------
    FlashError
        No boot ROM answers, or it is a chip that no box has.
    """
    from esptool.cmds import detect_chip
    from esptool.logger import log as esptool_log

    esptool_log.set_verbosity("silent")  # its words are for developers; ours say what to do
    rom: Any = None
    try:
        with _plain_errors(port, lambda: "before anything was written", entering=True):
            rom = detect_chip(port, connect_attempts=TRIES_N)
        chip = chip_named(rom.CHIP_NAME)
        if chip is None:
            raise FlashError(
                f"the chip at {port} is an {rom.CHIP_NAME}; a box has one of {chip_names()}; nothing was changed"
            )
        yield Bootloader(port, rom, chip)
    finally:
        if rom is not None:
            rom._port.close()


@contextmanager
def _plain_errors(port: str, when: Callable[[], str], *, entering: bool = False) -> Iterator[None]:
    """What esptool and pyserial raise, in one line with the next step."""
    from esptool.util import FatalError
    from serial import SerialException

    try:
        yield
    except (FatalError, SerialException, OSError, struct.error) as error:
        log.debug("esptool at %s: %r", port, error)
        if entering and isinstance(error, FatalError):
            raise FlashError(f"no boot ROM of an ESP32 answers at {port}; {HOW_TO_ENTER}") from error
        raise FlashError(
            f"the connection to the chip at {port} broke {when()} ({_first_line(error)}); check the cable and run the "
            f"same command again: it goes on where it stopped"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
