"""What an analysis found: the data that tables, JSON, report and page show."""

from __future__ import annotations

from dataclasses import dataclass

from hbc_host.coupling import CouplingResult
from hbc_host.published import PublishedScore
from hbc_host.response import TrainResponse
from hbc_host.rest_null import RestNull
from hbc_host.secondary import SecondaryMetrics
from hbc_host.sites import SiteComparison
from hbc_host.steps import StepEffect
from hbc_host.threshold import ThresholdResult
from hbc_host.trains import Protocol


@dataclass(frozen=True)
class SiteResult:
    """What one run showed. ``p_holm`` is adjusted over all sites of the analysis; nan for an unusable run.

    ``threshold`` is None unless the intensities are known and enough of them differ. ``published`` and ``secondary``
    are for comparison only, and None where the run is too short for them. ``rest_null`` is what ``response`` would look
    like without a response, None where no rest was recorded.
    """

    site: str
    coupling: CouplingResult
    p_holm: float
    response: TrainResponse | None
    steps: tuple[StepEffect, ...]
    mean_hr_bpm: float
    beats_n: int
    threshold: ThresholdResult | None = None
    published: PublishedScore | None = None
    secondary: SecondaryMetrics | None = None
    rest_null: RestNull | None = None


@dataclass(frozen=True)
class Analysis:
    """Everything that the table, the JSON and the report show; ``is_simulated``: no box measured it."""

    title: str
    source: str
    protocol: Protocol
    sites: tuple[SiteResult, ...]
    quality: dict[str, str | int | float]
    notes: tuple[str, ...]
    comparison: SiteComparison | None = None
    is_simulated: bool = False
