"""Did a patient get better? Response, remission and early improvement from totals of an outcome scale.

Definitions are common ones with their source; a clinic may use others. All scales here fall when a patient improves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hbc_host.errors import InputError


@dataclass(frozen=True)
class Scale:
    """One outcome scale.

    Attributes
    ----------
    name : str
    highest : float
        Largest possible total.
    response_pct : float
        Fall from the first total that counts as response.
    remission_max : float
        Totals up to this are remission.
    source : str
        Of the remission limit.
    """

    name: str
    highest: float
    response_pct: float
    remission_max: float
    source: str


SCALES = {
    scale.name: scale
    for scale in (
        Scale("PHQ-9", 27, 50.0, 4, "Kroenke 2001, doi 10.1046/j.1525-1497.2001.016009606.x"),
        Scale("BDI-II", 63, 50.0, 13, "Beck 1996, manual: 0 to 13 is minimal"),
        Scale("HDRS-17", 52, 50.0, 7, "Frank 1991, doi 10.1001/archpsyc.1991.01810330075011"),
        Scale("MADRS", 60, 50.0, 10, "Hawley 2002, doi 10.1016/s0165-0327(01)00451-7"),
        Scale("QIDS", 27, 50.0, 5, "Rush 2003, doi 10.1016/s0006-3223(02)01866-8"),
        Scale("Y-BOCS", 40, 35.0, 12, "Mataix-Cols 2016, doi 10.1002/wps.20299"),
    )
}
EARLY_PCT, EARLY_TREATMENT_N = 20.0, 10


@dataclass(frozen=True)
class Total:
    """A total of one scale, on a day, after so many treatments (None when nobody counted)."""

    on: date
    total: float
    treatment_n: int | None = None


@dataclass(frozen=True)
class Course:
    """How the totals of one scale went. ``None`` means that the totals cannot tell.

    Attributes
    ----------
    first, last : Total
    change_pct : float or None
        From the first to the last total, negative for a fall; None when the first is zero.
    response, remission, early : bool or None
        ``early``: improvement by the treatment that was asked for, judged by the last total up to it.
    """

    scale: Scale
    first: Total
    last: Total
    change_pct: float | None
    response: bool | None
    remission: bool | None
    early: bool | None


def scale_of(name: str) -> Scale:
    """Look a scale up, however it is written; raises InputError naming the known ones."""
    plain = {known.lower().replace("-", ""): scale for known, scale in SCALES.items()}
    try:
        return plain[name.lower().replace("-", "").replace(" ", "")]
    except KeyError:
        raise InputError(f"scale {name!r} is unknown; use one of {', '.join(SCALES)}") from None


def course(
    scale: Scale, totals: Sequence[Total], *, early_pct: float = EARLY_PCT, early_treatment_n: int = EARLY_TREATMENT_N
) -> Course:
    """Judge a course of at least one total, in any order.

    Parameters
    ----------
    scale : Scale
    totals : sequence of Total
        The earliest is the baseline.
    early_pct : float
        Fall from baseline that counts as early improvement, percent.
    early_treatment_n : int
        By which treatment.
    """
    if not totals:
        raise InputError(f"no {scale.name} total yet; add one with: hbc patient score")
    ordered = sorted(totals, key=lambda one: one.on)
    first, last = ordered[0], ordered[-1]
    followed = len(ordered) > 1
    change = _change_pct(first, last) if followed else None
    return Course(
        scale,
        first,
        last,
        change,
        None if change is None else change <= -scale.response_pct,
        last.total <= scale.remission_max if followed else None,
        _early(ordered, early_pct, early_treatment_n),
    )


def _change_pct(first: Total, later: Total) -> float | None:
    return 100.0 * (later.total - first.total) / first.total if first.total else None


def _early(ordered: Sequence[Total], early_pct: float, treatment_n: int) -> bool | None:
    """None until a total at or after that treatment shows that the course got so far."""
    later = [total for total in ordered[1:] if total.treatment_n is not None]
    if not any(total.treatment_n is not None and total.treatment_n >= treatment_n for total in later):
        return None
    by_then = [total for total in later if total.treatment_n is not None and total.treatment_n <= treatment_n]
    if not by_then:
        return None
    change = _change_pct(ordered[0], by_then[-1])
    return None if change is None else change <= -early_pct
