"""From a latched counter to device time, and every edge counted; and proof that these checks see a broken copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FW = Path(__file__).resolve().parents[2] / "firmware" / "hbc_fw"
TICK_NS = 12.5
EDGES_N, BOOTS_N, ROUNDS_N = 4000, 200, 3000
FEWER = (1000, 100)  # enough to catch every mistake below
PULSES_N = 120

Check = Callable[..., dict[str, Any]]


def assert_times_are_right(seen: dict[str, Any]) -> None:
    """Over hours: intervals within one tick of the truth, and the box knows how far off it may be."""
    low_ns, high_ns = seen["error_ns"]
    assert high_ns - low_ns <= TICK_NS
    assert max(-low_ns, high_ns) <= seen["bracket_half_ns"]
    assert seen["beyond_bracket_ns"] <= 0.0
    assert seen["widest_half_ns"] <= 10_000


def assert_edges_are_counted(seen: dict[str, Any]) -> None:
    """Taken once, in order; what could not be taken is counted; nothing is missed that could have been taken."""
    for run in seen["runs"]:
        assert run["in_order"], run
        assert run["taken_n"] + run["lost_n"] == run["due_n"], run
        assert run["avoidable_n"] == 0, run


def assert_rules_are_kept(seen: dict[str, Any]) -> None:
    """Every pulse ends as one of four; far apart exactly as the rule says, in a storm never a pulse lost silently."""
    for run in [*seen["calm"].values(), *seen["storm"].values(), seen["pairs"], seen["changed"]]:
        assert run["numbered_n"] + run["runts_n"] + run["held_off_n"] + run["lost_n"] == run["pulses_n"], run
        assert run["real"], run
    for run in seen["calm"].values():
        assert run["as_the_rule_says"] == [True, True, True], run
        assert run["lost_n"] == 0, run
    assert seen["pairs"]["as_the_rule_says"][0], seen["pairs"]
    for run in seen["storm"].values():
        assert run["runts_n"] <= run["true_runts_n"], f"a wide pulse was taken for a runt: {run}"
        assert run["narrow_but_numbered_n"] <= 0.05 * run["true_runts_n"], run


def test_edges_are_timed_within_one_tick_through_every_wrap(check: Check) -> None:
    seen = check("check_capture_clock", EDGES_N, BOOTS_N)
    assert_times_are_right(seen)
    assert seen["edges_n"] > 0.99 * EDGES_N
    assert seen["virtual_s"] > 3600
    assert seen["counter_wraps_n"] > 100
    assert seen["ticks_wraps_n"] > 5


def test_every_edge_is_taken_once_or_counted_as_lost(check: Check) -> None:
    seen = check("check_trigger_input", ROUNDS_N)
    assert_edges_are_counted(seen)
    calm, storm = seen["runs"][0], seen["runs"][4]
    assert calm["due_n"] == calm["taken_n"] == 0, "an edge from before the boot was taken"
    assert storm["lost_n"] > 1000, "the storm overran nothing: this test shows nothing"
    assert seen["runs"][1]["lost_n"] == 0, "rare edges are never lost"
    assert seen["busy_before"] is False
    assert seen["busy"] == [True, True, True, False, False, False, False, False], (
        "an old edge is taken for a recent one"
    )


def test_runts_and_held_off_edges_are_rejected_and_counted(check: Check) -> None:
    seen = check("check_trigger_width", 700)
    assert_rules_are_kept(seen)
    assert seen["calm"]["both"]["runts_n"] > 200
    assert seen["calm"]["hold-off"]["held_off_n"] > 100
    assert all(run["lost_n"] > 50 for run in seen["storm"].values()), "the storm overran nothing"
    assert seen["changed"]["numbered_n"] > 100


def broken(tmp_path: Path, change: tuple[str, str], name: str = "trigger.py") -> Path:
    """A folder with hbc_fw, one of its files with one mistake."""
    shutil.copytree(FW, tmp_path / "hbc_fw", ignore=shutil.ignore_patterns("__pycache__"))
    source = (FW / name).read_text()
    right, wrong = change
    assert source.count(right) >= 1, f"{name} has no {right!r} any more: renew this mutation"
    (tmp_path / "hbc_fw" / name).write_text(source.replace(right, wrong))
    return tmp_path


CLOCK_MISTAKES = {
    "no unwrap of the counter": ("        high &= 0xFFFF\n        # (high", "        # (high"),
    "swapped halves": ("_driver.halves[0]\n                self._high = self._driver.halves[1]",
                       "_driver.halves[1]\n                self._high = self._driver.halves[0]"),
    "anchor step of other counts": ("const(0x0500)", "const(0x04FF)"),
    "anchor step of other time": ("ANCHOR_STEP_US = const(1 << 20)", "ANCHOR_STEP_US = const(1 << 19)"),
    "anchor too far behind": ("const(1 << 24)", "const(1 << 26)"),
    "anchor ahead of an edge": ("const(1 << 24)", "const(0)"),
    "no borrow": ("            high -= 1\n", "            pass\n"),
    "no carry": ("self._high + (total >> 16)", "self._high"),
    "end instead of middle of the bracket": ("COUNTS_PER_US // 2)", "COUNTS_PER_US)"),
    "bracket reported too small": ("narrowest * 500 + 13", "narrowest * 125"),
    "floor of ticks_us forgotten": ("ticks_diff(ticks_us(), before) + 1 ", "ticks_diff(ticks_us(), before) "),
    "sub-microsecond part dropped": ("return rest % COUNTS_PER_US", "return 0"),
    "wrong quotient": ("<< 16) + rest // COUNTS_PER_US", "<< 16)"),
}  # fmt: skip
INPUT_MISTAKES = {
    "no look after the clear": ("if newer_low != low or newer_high != high:", "if False:"),
    "duplicates": ("if self._any and count[0] == low", "if False and count[0] == low"),
    "no audit": ("if missing and missing < 0x8000:", "if False:"),
    "audit judges before it takes": ("driver.latched():\n            self.take()  #", "False:\n            pass  #"),
    "count not followed": ("self._counted = (self._counted + 1) & 0xFFFF", "pass"),
    "wrap of the pulse counter": ("(self._count_before - self._counted) & 0xFFFF",
                                  "self._count_before - self._counted"),
    "edges from before the boot": ("self._counted = driver.count()\n        driver.clear()",
                                   "self._counted = driver.count()"),
}  # fmt: skip
WIDTH_MISTAKES = {
    "every width is enough": ("if width < self.min_width_us * COUNTS_PER_US:", "if False:"),
    "one count too wide": ("if width < self.min_width_us * COUNTS_PER_US:",
                           "if width <= self.min_width_us * COUNTS_PER_US + 79:"),
    "width in microseconds": ("self.min_width_us * COUNTS_PER_US:", "self.min_width_us:"),
    "decided too early": ("self._clock.since(self._at) < self.decide_us", "False"),
    "the fall of another pulse": ("if fell < gap:", "if True:"),
    "the next pulse tells nothing": ("        width = gap\n", "        width = FAR\n"),
    "an old fall seems new": ("                self._fall[0] = low\n", ""),
    "runts are not counted": ("self.runts_n += 1", "pass"),
    "hold-off not counted": ("self.held_off_n += 1", "pass"),
    "hold-off from the edge before, numbered or not": (
        "            self.held_off_n += 1\n            return True",
        "            self.held_off_n += 1\n            self._accepted_at.set(self._at)\n            return True",
    ),
    "no hold-off": ("self._at.within(self._accepted_at, self.hold_off_us)", "False"),
    "overrun edges counted twice": ("            self._counted = self._count_before\n", ""),
    "a waiting edge is dropped when the width changes": (
        "            self._decide_now()\n        self.min_width_us",
        "            self.waits = False\n        self.min_width_us",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CLOCK_MISTAKES)
def test_a_broken_capture_clock_is_caught(mistake: str, check: Check, tmp_path: Path) -> None:
    folder = broken(tmp_path, CLOCK_MISTAKES[mistake], "capture.py")
    with pytest.raises(AssertionError, match=r"(?s)^(?!.*SyntaxError)"):
        assert_times_are_right(check("check_capture_clock", *FEWER, first=folder))


@pytest.mark.parametrize("mistake", INPUT_MISTAKES)
def test_a_broken_trigger_input_is_caught(mistake: str, check: Check, tmp_path: Path) -> None:
    folder = broken(tmp_path, INPUT_MISTAKES[mistake])
    with pytest.raises(AssertionError, match=r"(?s)^(?!.*SyntaxError)"):
        assert_edges_are_counted(check("check_trigger_input", FEWER[0], first=folder))


@pytest.mark.parametrize("mistake", WIDTH_MISTAKES)
def test_broken_rules_of_width_and_hold_off_are_caught(mistake: str, check: Check, tmp_path: Path) -> None:
    folder = broken(tmp_path, WIDTH_MISTAKES[mistake])
    with pytest.raises(AssertionError, match=r"(?s)^(?!.*SyntaxError)"):
        assert_rules_are_kept(check("check_trigger_width", PULSES_N, first=folder))
