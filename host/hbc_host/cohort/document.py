"""The result of a fit as a JSON document, with what was laid down before and what made it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hbc_host.cohort.fit import CohortFit
from hbc_host.cohort.ratio_words import reasons
from hbc_host.errors import InputError

FORMAT = "hbc-cohort-1"
FILE_MAX_N = 200_000_000

#: What was laid down before any outcome was looked at. The report and docs/cohort.md print these sentences.
PRESPECIFIED = (
    "Question: does mean coupling over the sites, before treatment, go with early improvement?",
    "One primary test, two-sided at 5 %: odds ratio per standard deviation of true coupling in a logistic model "
    "adjusted for age, sex, side, medication and clinic; Firth's likelihood, profile interval.",
    "Runs called unusable or cannot-tell are left out; patients without outcome or covariates are left out, counted.",
    "Coupling is corrected for its error of measurement by regression calibration; the uncorrected ratio stands by.",
    "Sites and thirds of intensities are secondary and adjusted by Holm's method; everything else describes.",
)
LIMITS = (
    "Research use; not a medical device. Observational: patients who couple may differ in other ways that matter, so "
    "nothing here shows that choosing a site or an intensity by coupling improves treatment.",
    "These choices are those of the program. They are only pre-specified for your study if you fixed its version and "
    "this page before you saw outcomes.",
)


@dataclass(frozen=True)
class Provenance:
    """What made the result: command, versions, seed and the hashes of what went in."""

    command: str
    created: str
    host_version: str
    code_version: str
    seed: int
    outcomes_sha256: str
    recordings_n: int
    recordings_sha256: str
    scheduler: str


def to_document(fit: CohortFit, provenance: Provenance, notes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything but the runs themselves, as JSON knows it; unknown numbers are null."""
    cohort = fit.cohort
    verdicts: dict[str, int] = {}
    for row in cohort.rows:
        name = row["verdict"] or "not loaded"
        verdicts[name] = verdicts.get(name, 0) + 1
    failed = [{"recording": row["recording"], "reason": row["error"]} for row in cohort.rows if row["error"]]
    exposure = fit.exposure
    document: dict[str, Any] = dict(
        plain(
            {
                "format": FORMAT,
                "prespecified": PRESPECIFIED,
                "limits": LIMITS,
                "provenance": asdict(provenance),
                "runs": {"n": len(cohort.rows), "verdicts": verdicts, "failed": failed},
                "intensity_unit": "% of motor threshold" if cohort.relative else "% of stimulator output",
                "coupling": {
                    "sites": cohort.sites,
                    "site_means_bpm": [float(value) for value in exposure.site_means_bpm],
                    "site_errors_bpm": [float(value) for value in exposure.site_errors_bpm],
                    "true_sd_bpm": exposure.true_sd_bpm,
                    "measured_sd_bpm": exposure.measured_sd_bpm,
                    "reliability": exposure.reliability,
                    "patient_sd_bpm": exposure.patient_sd_bpm,
                    "patient_site_sd_bpm": exposure.patient_site_sd_bpm,
                },
                "mixed_model": asdict(fit.mixed) if fit.mixed else None,
                "adjusted_for": fit.adjusted_for,
                "prediction": asdict(fit.prediction) if fit.prediction else None,
                "secondary": [asdict(row) for row in fit.secondary],
                "sensitivity": [asdict(row) for row in fit.sensitivity],
                "validation": asdict(fit.validation) if fit.validation else None,
                "missing": asdict(fit.missing),
                "study_sizes": _study_sizes(fit),
                "patients": [asdict(row) for row in fit.patients],
                "notes": [*notes, *fit.notes],
            }
        )
    )
    return document | {"notes": [*document["notes"], *reasons(document)]}


def _study_sizes(fit: CohortFit) -> list[dict[str, Any]]:
    """Sizes of the next study; none where the ratio they would be planned from is not determined."""
    if fit.prediction is not None and fit.prediction.per_sd.undetermined:
        return []
    return [asdict(row) for row in fit.study_sizes]


def plain(value: Any) -> Any:
    """The same for JSON: tuples are lists, numbers that are not finite are null, or words where they mean infinity."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("infinity" if value > 0.0 else "-infinity")
    return value


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read; it appears whole.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    part = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as fault:
        raise InputError(f"cannot write {path}: {fault.strerror}; choose another --out") from None


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document as JSON."""
    write_private(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_document(path: Path) -> dict[str, Any]:
    """Read what :func:`write_document` wrote.

    Raises
    ------
    InputError
        If it is not that.
    """
    try:
        if path.stat().st_size > FILE_MAX_N:
            raise InputError(f"{path}: more than {FILE_MAX_N} bytes; is it another file?")
        document = json.loads(path.read_text("utf-8"))
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}); run `hbc cohort fit` first") from None
    except ValueError:
        raise InputError(f"{path}: is not JSON; run `hbc cohort fit` again") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{path}: is not of format {FORMAT}; run `hbc cohort fit` again")
    return document
