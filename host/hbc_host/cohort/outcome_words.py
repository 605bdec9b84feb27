"""The table of outcomes, in words: its columns, other names for them, and what a cell may say."""

from __future__ import annotations

from collections.abc import Mapping

#: Column -> what it holds. Only ``patient`` and an outcome are required. docs/howto/cohort.md repeats this table.
COLUMNS: Mapping[str, str] = {
    "patient": "pseudonym; the name of the patient's folder",
    "improved": "early improvement, yes/no or 1/0; empty when unknown",
    "score_baseline": "total of a scale before treatment; used with score_early when there is no improved",
    "score_early": "total of the same scale at the early visit",
    "clinic": "any name",
    "age": "years",
    "sex": "f, m or x",
    "side": "treated side: L, R or B (both)",
    "medication": "yes or no",
    "motor_threshold_pct": "resting motor threshold, percent of stimulator output",
}
OTHER_NAMES: Mapping[str, str] = {
    "id": "patient",
    "pseudonym": "patient",
    "subject": "patient",
    "participant_id": "patient",
    "gender": "sex",
    "site": "clinic",
    "center": "clinic",
    "centre": "clinic",
    "mt": "motor_threshold_pct",
    "rmt": "motor_threshold_pct",
    "motor_threshold": "motor_threshold_pct",
    "baseline": "score_baseline",
    "responder_early": "improved",
    "early_improvement": "improved",
    "hemisphere": "side",
}
NUMBERS = {
    "age": (5.0, 110.0),
    "score_baseline": (0.0, 400.0),
    "score_early": (0.0, 400.0),
    "motor_threshold_pct": (10.0, 100.0),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "sex": {
        "f": "f",
        "female": "f",
        "woman": "f",
        "v": "f",
        "w": "f",
        "m": "m",
        "male": "m",
        "man": "m",
        "x": "x",
        "other": "x",
    },
    "side": {
        "l": "L",
        "left": "L",
        "links": "L",
        "r": "R",
        "right": "R",
        "rechts": "R",
        "b": "B",
        "both": "B",
        "bilateral": "B",
    },
}
YES, NO = {"1", "y", "yes", "true", "ja", "j", "on"}, {"0", "n", "no", "false", "nee", "nein", "none", "off"}
UNKNOWN = {"", "na", "n/a", "nan", "null", "?", "-", "missing", "unknown", "."}
