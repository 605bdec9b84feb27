"""How many patients would the next study need? Hsieh's formula for a logistic model, with what a real study loses.

Hsieh, Bloch & Larsen 1998, doi 10.1002/(SICI)1097-0258(19980730)17:14<1623::AID-SIM871>3.0.CO;2-S: a standardised
exposure with odds ratio ``R`` needs ``(z_a + z_b)^2 / (p (1 - p) ln(R)^2)`` patients. Covariates that tell of the
exposure, error of the measurement and drop-out each divide that by what they leave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

POWERS = (0.8, 0.9)
ALPHA = 0.05


@dataclass(frozen=True)
class StudySize:
    """Patients to enrol for an odds ratio per standard deviation of true coupling, by power; None = no number is."""

    why: str
    odds_ratio: float
    patients_n: tuple[int | None, ...]


def patients_needed(
    odds_ratio: float,
    power: float,
    *,
    improved_share: float,
    reliability: float = 1.0,
    explained_share: float = 0.0,
    dropout_share: float = 0.0,
    alpha: float = ALPHA,
) -> int | None:
    """Patients to enrol; None when no number is enough (a ratio of one, or a share of zero).

    Parameters
    ----------
    odds_ratio : float
        Per standard deviation of the true exposure.
    power, alpha : float
        Of a two-sided test.
    improved_share : float
        Share with the outcome.
    reliability : float
        Share of the measured exposure's variance that is true.
    explained_share : float
        Share of the exposure's variance that the covariates explain.
    dropout_share : float
    """
    from scipy.special import ndtri

    effect = math.log(odds_ratio) ** 2
    left = improved_share * (1.0 - improved_share) * reliability * (1.0 - explained_share) * (1.0 - dropout_share)
    if effect < 1e-12 or left <= 0.0:
        return None
    z = float(ndtri(1.0 - alpha / 2.0) + ndtri(power))
    needed = z**2 / (effect * left)
    return math.ceil(needed) if needed < 1e7 else None


def study_sizes(
    ratio: float,
    low: float,
    high: float,
    *,
    improved_share: float,
    reliability: float,
    explained_share: float,
    dropout_share: float,
) -> tuple[StudySize, ...]:
    """Sizes for the ratio as found, for half of it (on the log scale), and for the interval's end nearest to one.

    A ratio found in one study is larger than the truth more often than not when it is published for being large
    (Button et al. 2013, doi 10.1038/nrn3475); plan with the smaller ones.
    """
    near = low if ratio >= 1.0 else high
    if (near - 1.0) * (ratio - 1.0) <= 0.0:
        near = 1.0
    plans = (
        ("as found", ratio),
        ("half of it, on the log scale", math.sqrt(ratio)),
        ("end of the interval nearest 1", near),
    )

    def sizes(value: float) -> tuple[int | None, ...]:
        return tuple(
            patients_needed(
                value,
                power,
                improved_share=improved_share,
                reliability=reliability,
                explained_share=explained_share,
                dropout_share=dropout_share,
            )
            for power in POWERS
        )

    return tuple(StudySize(why, value, sizes(value)) for why, value in plans)
