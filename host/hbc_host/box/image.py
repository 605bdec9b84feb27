"""Is this file a MicroPython for this chip? Asked before a single byte of a box is changed."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hbc_host.box.chips import DOWNLOAD, MICROPYTHON_MIN, OTHER_IMAGE_IDS, Chip, chip_names, chip_of_image
from hbc_host.errors import FlashError

MAGIC = 0xE9  # first byte of every image the boot ROM starts (ESP-IDF esp_app_format.h, as the two below)
SEGMENTS_MAX_N = 16
APP_AT = 0x10000  # in flash; the first partition of an app in MicroPython's partition tables
SEGMENT = struct.Struct("<II")  # address, bytes
HEADER = struct.Struct("<BBBBIBBBBHBHHBBBBB")  # magic, segments, ..., chip id at byte 12
CHIP_ID_FIELD = 9
SIZE_MIN_N = 0x18000  # the app begins at 0x10000; MicroPython has 1.5 MB
SIZE_MAX_N = 16 * 1024 * 1024
VERSION = re.compile(rb"MicroPython v(\d+)\.(\d+)(?:\.(\d+))?(-[\w.]+)? on \d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class FirmwareImage:
    """A file that passed all checks.

    Attributes
    ----------
    path : Path
    data : bytes
    chip : Chip
        For which it was built.
    version : tuple of int
        MicroPython's, such as ``(1, 29, 0)``.
    version_text : str
        With what comes after the numbers: ``1.29.0-preview.1``.
    sha256 : str
    """

    path: Path
    data: bytes
    chip: Chip
    version: tuple[int, int, int]
    version_text: str
    sha256: str


def read_image(path: Path) -> FirmwareImage:
    """Read and check a MicroPython image for a chip of ours.

    Raises
    ------
    FlashError
        The file cannot be read, is no image, is for another chip, or holds no MicroPython of at least 1.26; the
        message says where the right file is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FlashError(f"cannot read {path}: {error.strerror}; download the file from {DOWNLOAD}") from None
    chip = _chip_of(path, data)
    _check_whole(path, data, chip)
    version, text = _version_of(path, data, chip)
    return FirmwareImage(path, data, chip, version, text, sha256(data).hexdigest())


def check_fits(image: FirmwareImage, chip: Chip) -> None:
    """Raise FlashError when the image is for another chip than the one on the box."""
    if image.chip != chip:
        raise FlashError(
            f"{image.path} is for the {image.chip.label}, this box has an {chip.label}; nothing was changed; "
            f"download {chip.download} from {chip.where}"
        )


def _chip_of(path: Path, data: bytes) -> Chip:
    if not SIZE_MIN_N <= len(data) <= SIZE_MAX_N:
        raise FlashError(
            f"{path} has {len(data)} bytes, a MicroPython image {SIZE_MIN_N} to {SIZE_MAX_N}; "
            f"take the .bin of the newest release from {DOWNLOAD}"
        )
    fields = HEADER.unpack_from(data)
    if fields[0] != MAGIC or not 1 <= fields[1] <= SEGMENTS_MAX_N:
        raise FlashError(
            f"{path} begins with 0x{fields[0]:02x}, an image for an ESP32 with 0x{MAGIC:02x}; take the file that ends "
            f"in .bin (not .app-bin, .elf, .uf2 or a saved web page) from {DOWNLOAD}"
        )
    image_id = fields[CHIP_ID_FIELD]
    chip = chip_of_image(image_id)
    if chip is None:
        other = OTHER_IMAGE_IDS.get(image_id, f"a chip with the id {image_id}")
        raise FlashError(f"{path} is for {other}; a box has one of {chip_names()}; see {DOWNLOAD}")
    return chip


def _check_whole(path: Path, data: bytes, chip: Chip) -> None:
    """Refuse a download that broke off: the segments of the app must all be there."""
    at = APP_AT - chip.image_at
    if data[at] != MAGIC:
        raise FlashError(
            f"{path} holds a bootloader and no app behind it; take the file that ends in .bin from {chip.where}"
        )
    segments_n = data[at + 1]
    at += HEADER.size
    for _ in range(segments_n):
        if at + SEGMENT.size <= len(data):
            at += SEGMENT.size + SEGMENT.unpack_from(data, at)[1]
    if at > len(data):
        raise FlashError(f"{path} is cut off: {len(data)} of at least {at} bytes; download it again from {chip.where}")


def _version_of(path: Path, data: bytes, chip: Chip) -> tuple[tuple[int, int, int], str]:
    found = VERSION.search(data)
    if found is None:
        raise FlashError(
            f"{path} is an image for the {chip.label}, but holds no MicroPython; "
            f"download {chip.download} from {chip.where}"
        )
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    text = ".".join(str(part) for part in version) + (found[4] or b"").decode()
    if version[:2] < MICROPYTHON_MIN:
        raise FlashError(f"{path} holds MicroPython {text}, {least()} is needed; download it from {chip.where}")
    return version, text


def least() -> str:
    """The oldest MicroPython that will do, in words."""
    return f"at least {MICROPYTHON_MIN[0]}.{MICROPYTHON_MIN[1]}"
