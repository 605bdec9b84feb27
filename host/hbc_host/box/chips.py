"""The chips a box may have, as data: what esptool, MicroPython and our boards call them."""

from __future__ import annotations

from dataclasses import dataclass

DOWNLOAD = "micropython.org/download"
MICROPYTHON_MIN = (1, 26)  # machine.Counter on the ESP32, which counts every trigger edge


@dataclass(frozen=True)
class Chip:
    """One chip.

    Attributes
    ----------
    name : str
        As esptool takes it: ``esp32s3``.
    label : str
        As people and MicroPython write it: ``ESP32-S3``; without the hyphen it ends ``sys.implementation._machine``.
    image_id : int
        Chip id in the header of an image (esptool ``IMAGE_CHIP_ID``).
    image_at : int
        Where MicroPython's image begins in flash: behind the boot ROM's reserved 4 KiB on the ESP32, else 0.
    download : str
        Name of the stock interpreter on MicroPython's download page.
    board : str
        Our first board with this chip.
    """

    name: str
    label: str
    image_id: int
    image_at: int
    download: str
    board: str

    @property
    def where(self) -> str:
        """Where the interpreter for this chip is found, in words."""
        return f"https://{DOWNLOAD}/{self.download}/"


CHIPS = (
    Chip("esp32", "ESP32", 0, 0x1000, "ESP32_GENERIC", "esp32-ad8232"),
    Chip("esp32s3", "ESP32-S3", 9, 0, "ESP32_GENERIC_S3", "esp32s3-ad8232"),
    Chip("esp32c6", "ESP32-C6", 13, 0, "ESP32_GENERIC_C6", "esp32c6-ad8232"),
    Chip("esp32c3", "ESP32-C3", 5, 0, "ESP32_GENERIC_C3", "esp32c3-ad8232"),
)
# Ids of chips that a user may have by mistake, to name them; esptool's table of IMAGE_CHIP_ID.
OTHER_IMAGE_IDS = {2: "ESP32-S2", 12: "ESP32-C2", 16: "ESP32-H2", 18: "ESP32-P4", 23: "ESP32-C5"}


def chip_named(name: str) -> Chip | None:
    """The chip of this name, however it is written (``esp32s3``, ``ESP32-S3``)."""
    plain = name.lower().replace("-", "").replace("_", "")
    return next((chip for chip in CHIPS if chip.name == plain), None)


def chip_of_image(image_id: int) -> Chip | None:
    """The chip for which an image with this id in its header was built."""
    return next((chip for chip in CHIPS if chip.image_id == image_id), None)


def chip_of_machine(machine: str) -> Chip | None:
    """The chip of an interpreter that calls its machine so: ``Generic ESP32S3 module with ESP32S3``."""
    return chip_named(machine.rpartition(" with ")[2].strip())


def chip_names() -> str:
    """All of them, for a sentence."""
    return ", ".join(chip.label for chip in CHIPS)
