"""Between power-up and the loop: the prompt, faults in a row, the watchdog, a file system that takes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FW = Path(__file__).resolve().parents[2] / "firmware" / "hbc_fw"

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """An empty file system."""
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


def test_starts_and_faults_are_told_apart(check: Check, flash: Path) -> None:
    seen = check("check_startup", flash)
    assert seen["starts_n"] > 15
    assert seen["resets_n"] > 8


MISTAKES = {
    "the prompt for ever": ("        os.remove(REPL_FILE)\n", ""),
    "no end to faults": ("if faults_n >= FAULTS_MAX_N:", "if False:"),
    "locked in": ("_count_up(FAULTS_MAX_N - 1)", "pass"),
    "the trace before the count": (
        "            _count_up(faults_n + 1 if soon else 0)  # first: it finds room where a trace does not\n"
        "            _write_down(error)\n",
        "            _write_down(error)\n            _count_up(faults_n + 1 if soon else 0)\n",
    ),
    "late faults count": ("< SOON_MS", "< (1 << 40)"),
    "the watchdog is forgotten": ("        faults_n += 1\n", ""),
    "a broken flash stops the box": ("        finally:  # a", "        except ImportError:  # a"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_startup_is_caught(mistake: str, check: Check, flash: Path, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    shutil.copytree(FW, tmp_path / "hbc_fw", ignore=shutil.ignore_patterns("__pycache__"))
    source = (FW / "startup.py").read_text()
    assert source.count(right) == 1, f"startup.py has no {right!r} any more: renew this mutation"
    (tmp_path / "hbc_fw" / "startup.py").write_text(source.replace(right, wrong))
    with pytest.raises(AssertionError, match=r"(?s)^(?!.*SyntaxError)"):
        check("check_startup", flash, first=tmp_path)
