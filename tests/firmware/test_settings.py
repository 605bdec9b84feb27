"""Settings survive a power failure at any byte: the old ones or the new ones, never anything else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FW = Path(__file__).resolve().parents[2] / "firmware" / "hbc_fw"

Check = Callable[..., dict[str, Any]]


def assert_settings_survive(seen: dict[str, Any]) -> None:
    assert set(seen["found"]) == {"old", "new"}
    assert seen["found"]["old"] == seen["length_n"] + 1, "each byte of the write, and just before the rename"
    assert seen["found"]["new"] == 2, "the whole write, and just after the rename"
    assert seen["damaged_n"] > 80
    assert seen["answers_n"] == 4


def test_a_power_failure_at_any_byte_leaves_the_old_settings_or_the_new(check: Check, tmp_path: Path) -> None:
    assert_settings_survive(check("check_settings", tmp_path))


MISTAKES = {
    "written in place": ('open(self._path + ".new", "wb")', 'open(self._path, "wb")'),
    "no checksum": ("data[end:] != _crc_line(data[:end])", "False"),
    "the name of the checksum is in it": ("_crc_line(data[:end])", "_crc_line(data[: end + 4])"),
    "no limits for what is read": ("<= row.highest:\n        return False", "<= row.highest:\n        pass"),
    "not put into force at boot": ("    if value != row.value:\n        row.put(value)\n", ""),
    "a failed write is forgotten": ("if value == row.value and self._kept", "if value == row.value"),
    "busy is not asked": ("messages.ACK_BUSY if self._busy() else ", ""),
    "a front end that was not kept comes in later": ("            if row.at_boot:", "            if False:"),
    "a restart for nothing": ("(row.at_boot and value != before)", "row.at_boot"),
    "damage is left where it is": ("        self._kept = not remark\n", ""),
    "the heap stays locked": ("        heap_unlock()\n        try", "        try"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_broken_settings_are_caught(mistake: str, check: Check, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    shutil.copytree(FW, tmp_path / "hbc_fw", ignore=shutil.ignore_patterns("__pycache__"))
    source = (FW / "settings.py").read_text()
    assert source.count(right) == 1, f"settings.py has no {right!r} any more: renew this mutation"
    (tmp_path / "hbc_fw" / "settings.py").write_text(source.replace(right, wrong))
    with pytest.raises(AssertionError, match=r"(?s)^(?!.*SyntaxError)"):
        assert_settings_survive(check("check_settings", tmp_path, first=tmp_path))
