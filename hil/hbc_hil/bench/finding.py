"""One line of a judgement: requirement, limit, what was measured, PASS or FAIL."""

from __future__ import annotations

import math
from dataclasses import dataclass

PASS, FAIL, NOT_MEASURED = "PASS", "FAIL", "not measured"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        Short name, stable: scripts and limits refer to it.
    requirement : str
        What must hold, in words.
    limit, measured : str
        With units.
    verdict : str
        ``PASS``, ``FAIL``, or ``not measured`` where this set-up cannot tell; the requirement then says why.
    value : float or None
        The measured number, in the unit of the text.
    """

    check: str
    requirement: str
    limit: str
    measured: str
    verdict: str
    value: float | None = None


def number(value: float) -> str:
    """A number as people read it: whole counts whole, the rest with three digits that matter."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def at_most(check: str, requirement: str, value: float, limit: float, unit: str = "") -> Finding:
    """PASS when a number was measured and is not above the limit."""
    return _judged(check, requirement, value, value <= limit, f"≤ {number(limit)}", unit)


def at_least(check: str, requirement: str, value: float, limit: float, unit: str = "") -> Finding:
    """PASS when a number was measured and is not below the limit."""
    return _judged(check, requirement, value, value >= limit, f"≥ {number(limit)}", unit)


def exactly(check: str, requirement: str, value: float, limit: float, unit: str = "") -> Finding:
    """PASS when the measured number is this one."""
    return _judged(check, requirement, value, value == limit, f"= {number(limit)}", unit)


def not_measured(check: str, why: str) -> Finding:
    """Neither PASS nor FAIL: this set-up cannot tell."""
    return Finding(check, why, "-", "-", NOT_MEASURED)


def _judged(check: str, requirement: str, value: float, good: bool, limit: str, unit: str) -> Finding:
    unit = f" {unit}" if unit else ""
    known = not math.isnan(value)  # a number that could not be taken fulfils nothing
    return Finding(
        check, requirement, limit + unit, number(value) + unit, PASS if good and known else FAIL,
        float(value) if math.isfinite(value) else None,
    )  # fmt: skip


def passed(findings: list[Finding]) -> bool:
    """True when at least one check was made and none failed."""
    return any(f.verdict == PASS for f in findings) and not any(f.verdict == FAIL for f in findings)
