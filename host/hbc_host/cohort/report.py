"""The report of a cohort: one HTML file without anything from outside, drawn from the JSON document alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hbc_host.cohort.document import write_private
from hbc_host.cohort.ratio_words import estimate, interval, num, number, ratio

HERE = Path(__file__).parent


def write_report(document: Mapping[str, Any], path: Path) -> None:
    """Write the page of a document.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    write_private(path, render(document))


def render(document: Mapping[str, Any]) -> str:
    """The page as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from hbc_host.cohort import figures

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        num=num, pval=pval, share=share, ratio=ratio, estimate=estimate, interval=interval, span=span
    )
    return environment.get_template("cohort.html.j2").render(
        d=document,
        sentence=sentence(document),
        ratios=Markup(figures.ratios_figure(document)),
        calibration=Markup(figures.calibration_figure(document)),
        patients=Markup(figures.patients_figure(document)),
    )


def sentence(document: Mapping[str, Any]) -> str:
    """The answer to the primary question in one sentence."""
    prediction = document["prediction"]
    if not prediction:
        why = next((note for note in document["notes"] if note.startswith("no prediction")), "no prediction")
        return f"The primary question cannot be answered: {why.removeprefix('no prediction: ')}."
    per_sd = prediction["per_sd"]
    found = f"odds ratio {ratio(per_sd)} per standard deviation of coupling, p {pval(per_sd['p_value'])}"
    if number(per_sd["p_value"]) >= 0.05:
        return f"A relation of coupling with early improvement is not shown: {found}. That is no proof of none."
    direction = "more" if number(per_sd["ratio"]) > 1.0 else "less"
    return f"Patients with stronger coupling improved early {direction} often: {found}."


def pval(value: Any) -> str:
    """A p-value for reading."""
    known = number(value)
    return "-" if math.isnan(known) else "< .001" if known < 0.001 else f"= {known:.3f}".replace("0.", ".")


def share(value: Any) -> str:
    """A share in percent."""
    known = number(value)
    return "-" if math.isnan(known) else f"{100.0 * known:.0f} %"


def span(low: Any, high: Any, digits: int = 2) -> str:
    """An interval for reading."""
    return f"{num(low, digits)} to {num(high, digits)}"
