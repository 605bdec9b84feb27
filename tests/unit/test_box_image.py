"""A wrong file is refused before a byte of the box changes, in words that name the right one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbc_host.box.chips import CHIPS, chip_named, chip_of_machine
from hbc_host.box.image import check_fits, read_image
from hbc_host.errors import FlashError
from support_box import image_bytes, image_file


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_an_image_tells_chip_and_version(tmp_path: Path, chip: object) -> None:
    image = read_image(image_file(tmp_path / "a.bin", chip.image_id, version=b"v1.27.1-preview.5.gabc"))
    assert image.chip == chip
    assert image.version == (1, 27, 1)
    assert image.version_text == "1.27.1-preview.5.gabc"


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_our_table_of_chips_is_esptools(chip: object) -> None:
    from esptool.targets import CHIP_DEFS

    rom = CHIP_DEFS[chip.name]
    assert (chip.label, chip.image_id) == (rom.CHIP_NAME, rom.IMAGE_CHIP_ID)
    assert chip.image_at == rom.BOOTLOADER_FLASH_OFFSET


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html>" + bytes(100_000), ["begins with 0x3c", "saved web page"]),
        (b"\xe9\x03", ["has 2 bytes"]),
        (image_bytes()[:110_000], ["is cut off: 110000 of at least 120000 bytes"]),
        (image_bytes()[:0xF000] + bytes(60_000), ["no app behind it"]),
        (image_bytes(version=b""), ["holds no MicroPython", "ESP32_GENERIC"]),
        (image_bytes(version=b"v1.25.0"), ["1.25.0, at least 1.26"]),
        (image_bytes(2), ["ESP32-S2", "ESP32-C3"]),
        (image_bytes(77), ["a chip with the id 77"]),
    ],
    ids=[
        "web page",
        "too short",
        "cut off",
        "bootloader only",
        "no micropython",
        "too old",
        "other chip",
        "unknown chip",
    ],
)
def test_a_wrong_file_is_refused_and_says_why(tmp_path: Path, data: bytes, words: list[str]) -> None:
    path = tmp_path / "wrong.bin"
    path.write_bytes(data)
    with pytest.raises(FlashError) as refused:
        read_image(path)
    for word in [*words, "micropython.org/download", str(path)]:
        assert word in str(refused.value)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(FlashError, match=r"cannot read /nonesuch\.bin: No such file"):
        read_image(Path("/nonesuch.bin"))


def test_an_image_for_another_chip_says_which_to_take(tmp_path: Path) -> None:
    image = read_image(image_file(tmp_path / "a.bin", 9))
    check_fits(image, CHIPS[1])
    with pytest.raises(FlashError, match="is for the ESP32-S3, this box has an ESP32; nothing was changed") as refused:
        check_fits(image, CHIPS[0])
    assert "ESP32_GENERIC/" in str(refused.value)


def test_a_chip_is_known_by_its_name_and_by_its_interpreters_words() -> None:
    assert chip_named("ESP32-S3") is chip_named("esp32s3") is CHIPS[1]
    assert chip_of_machine("Generic ESP32 module with ESP32") is CHIPS[0]
    assert chip_of_machine("ESP32C3 module with ESP32C3") is CHIPS[3]
    assert chip_of_machine("linux [GCC 14.2.1] version") is None
