"""A simulated cohort as files: one folder per patient in the format of imports, a table of outcomes, and the truth."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hbc_hil.cohort import SITES, CohortPlan, SimPatient, draw_cohort, population
from hbc_hil.cohort_beats import SimRecording, patient_recordings
from hbc_hil.errors import ScenarioError

COLUMNS = ("patient", "clinic", "age", "sex", "side", "medication", "motor_threshold_pct", "improved")


def write_cohort(plan: CohortPlan, folder: Path, *, on_done: Callable[[float], None] = lambda share: None) -> int:
    """Write ``recordings/PATIENT/...``, ``outcomes.csv`` and ``truth.json``; return how many runs there are.

    Raises
    ------
    ScenarioError
        If the folder exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScenarioError(f"{folder} exists and is not empty; choose another folder")
    patients = draw_cohort(plan)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    runs_n = 0
    for number, patient in enumerate(patients, start=1):
        for recording in patient_recordings(plan, patient):
            _write_recording(folder / "recordings" / patient.name / recording.folder, plan, recording)
            runs_n += len(recording.sites)
        on_done(number / len(patients))
    _write(folder / "outcomes.csv", _outcomes(patients))
    _write(folder / "truth.json", json.dumps(_truth(plan, patients), indent=1) + "\n")
    return runs_n


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _outcomes(patients: list[SimPatient]) -> str:
    import io

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in patients:
        improved = "" if one.improved is None else int(one.improved)
        clinic = f"clinic-{one.clinic_idx + 1}"
        medication = "yes" if one.medication else "no"
        table.writerow(
            [
                one.name,
                clinic,
                f"{one.age:.0f}",
                one.sex,
                one.side,
                medication,
                f"{one.motor_threshold_pct:g}",
                improved,
            ]
        )
    return text.getvalue()


def _write_recording(folder: Path, plan: CohortPlan, recording: SimRecording) -> None:
    rr_ms = np.diff(recording.beats_s, prepend=np.nan) * 1e3
    rows = [
        f"{beat_s:.4f},{'' if np.isnan(rr) else format(rr, '.1f')},100,1"
        for beat_s, rr in zip(recording.beats_s, rr_ms, strict=True)
    ]
    _write(folder / "beats.csv", "\n".join(["time_s,rr_ms,quality,polarity", *rows]) + "\n")
    triggers: dict[str, Any] | None = None
    if recording.triggers_s is not None:
        _write(folder / "triggers.csv", "\n".join(["time_s", *(f"{at_s:.6f}" for at_s in recording.triggers_s)]) + "\n")
        triggers = {"file": "triggers.csv", "n": int(recording.triggers_s.size), "from": "simulated box"}
    declared = None
    if recording.first_train_s is not None:
        declared = {"first_train_s": recording.first_train_s, "uncertainty_s": recording.start_uncertainty_s}
    facts = {
        "format": "hbc-import-1",
        "name": folder.name,
        "created": "2026-01-01T00:00:00+00:00",  # a fixed label: the same seed gives the same bytes
        "host_version": "simulated",
        "source": {"name": f"simulated cohort, seed {plan.seed}", "sha256": "", "bytes_n": 0, "format": "simulated"},
        "clock": "simulated world, seconds",
        "start_s": 0.0,
        "end_s": recording.end_s,
        "gaps_s": [list(gap) for gap in recording.gaps_s],
        "ecg": None,
        "beats": {"file": "beats.csv", "n": int(recording.beats_s.size), "from": "file"},
        "triggers": triggers,
        "declared_start": declared,
        "labels": {
            "title": folder.parent.name,
            "protocol": "dash",
            "sites": list(recording.sites),
            "intensities_pct": list(recording.intensities_pct),
        },
        "units": "s",
        "notes": ["simulated: nobody was stimulated"],
    }
    _write(folder / "recording.json", json.dumps(facts, indent=1) + "\n")


def _truth(plan: CohortPlan, patients: list[SimPatient]) -> dict[str, Any]:
    from dataclasses import asdict

    mean_bpm, sd_bpm, constant = population(plan)
    falls = {one.name: [round(float(fall), 4) for fall in one.falls_bpm] for one in patients}
    return {
        "plan": asdict(plan),
        "sites": list(SITES[: plan.sites_n]),
        "mean_bpm": mean_bpm,
        "sd_bpm": sd_bpm,
        "log_odds_at_mean": constant,
        "falls_bpm": falls,
    }
