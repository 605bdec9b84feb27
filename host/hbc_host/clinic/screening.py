"""Who may be stimulated: screening by topic, and how the patient came to this visit.

Topics after Rossi 2009 (doi 10.1016/j.clinph.2009.08.016) and the questionnaire of Rossi 2011 (doi
10.1016/j.clinph.2010.12.037). A yes to a stop forbids the session unless a physician overrides it in writing; a yes to
a flag is for the physician to know. This program decides nothing beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from hbc_host.clinic.protocol_file import Table
from hbc_host.errors import InputError

Text = Annotated[str, Field(max_length=2000)]

#: Topics whose yes stops the session, with the question.
STOPS = {
    "cochlear_implant": "Has the patient a cochlear implant?",
    "brain_or_nerve_stimulator": "Has the patient a deep-brain or vagus-nerve stimulator?",
    "pacemaker": "Has the patient a pacemaker or an implanted defibrillator (ICD)?",
    "medication_pump": "Has the patient an implanted medication pump?",
    "metal_in_head": "Is there metal in or near the head (clips, shrapnel, splinters; judge dental implants)?",
}
#: Topics whose yes is for the physician to know, with the question.
FLAGS = {
    "seizure_risk": "Epilepsy, a seizure ever, or a raised risk of one?",
    "recent_stroke": "A recent stroke or other injury of the brain?",
    "pregnancy": "Pregnant, or possibly so?",
    "syncope": "Ever fainted?",
    "arrhythmia": "A disturbance of the heart's rhythm?",
    "beta_blocker": "Does the patient take a beta-blocker?",
    "slow_heart": "A heart rate at rest below 50 a minute?",
    "crisis": "In crisis, or acutely suicidal?",
    "hearing_loss": "Hearing loss or ringing in the ears?",
    "psychosis": "Psychotic symptoms, now or before?",
}
TOPICS = {**STOPS, **FLAGS}

#: What is asked at every visit: name in :class:`State`, question.
STATE_QUESTIONS = {
    "new_since_screening": "Since the screening, is any of its answers another one now?",
    "medication_changed": "Has medication changed since the last visit?",
    "sedatives": "A sedative before this visit?",
    "benzodiazepine": "A benzodiazepine in the last day?",
    "alcohol": "Alcohol in the last day?",
    "caffeine": "Caffeine today?",
    "ear_protection": "Is ear protection in place, in both ears?",
    "sleep_h": "How many hours of sleep last night?",
}


class Screening(Table):
    """Answers by topic.

    Attributes
    ----------
    on : date
        When the patient was asked; answers age.
    answers : dict of topic to bool
        True is a yes; all of :data:`TOPICS`.
    flags, stops : tuple of topic
        Those that are yes: for the physician to know of, and what forbids the session.
    override_by, override_reason : str
        The physician who lets the session go on in spite of stops, and why. Empty without stops.
    """

    on: date
    answers: dict[str, bool]
    flags: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    override_by: Annotated[str, Field(max_length=80)] = ""
    override_reason: Text = ""

    @model_validator(mode="after")
    def _answered_for(self) -> Self:
        missing = [topic for topic in TOPICS if topic not in self.answers]
        unknown = [topic for topic in self.answers if topic not in TOPICS]
        if missing or unknown:
            raise ValueError(f"screening: not answered: {', '.join(missing)}; no topic: {', '.join(unknown)}")
        if (self.flags, self.stops) != _judged(self.answers):
            raise ValueError("screening: flags and stops do not follow from the answers")
        if self.stops and not (self.override_by.strip() and self.override_reason.strip()):
            raise ValueError(f"{', '.join(self.stops)}: no session unless a physician overrides, with name and reason")
        return self


class State(Table):
    """How the patient came to this visit. None: not asked."""

    new_since_screening: bool | None = None
    medication_changed: bool | None = None
    sedatives: bool | None = None
    benzodiazepine: bool | None = None
    alcohol: bool | None = None
    caffeine: bool | None = None
    ear_protection: bool | None = None
    sleep_h: Annotated[float, Field(ge=0.0, le=24.0)] | None = None
    note: Text = ""

    @property
    def open_points(self) -> tuple[str, ...]:
        """What has not been asked yet."""
        return tuple(name for name in STATE_QUESTIONS if getattr(self, name) is None)


def screen(answers: Mapping[str, bool], on: date, *, override_by: str = "", override_reason: str = "") -> Screening:
    """Judge the answers of one patient.

    Parameters
    ----------
    answers : mapping of topic to bool
        True is a yes. Every one of :data:`TOPICS`.
    on : date
        When they were given.
    override_by, override_reason : str
        A physician's written override of stops.

    Raises
    ------
    InputError
        A topic is missing or unknown, or there is a stop that nobody overrides.
    """
    missing = [topic for topic in TOPICS if topic not in answers]
    unknown = [topic for topic in answers if topic not in TOPICS]
    if unknown:
        raise InputError(f"{', '.join(unknown)} is no topic of screening; use {', '.join(TOPICS)}")
    if missing:
        raise InputError(f"screening is not complete, ask: {', '.join(missing)}")
    flags, stops = _judged(answers)
    if stops and not (override_by.strip() and override_reason.strip()):
        raise InputError(
            f"stop: {', '.join(stops)}. No session, unless a physician overrides in writing: "
            "--override-by NAME --override-reason TEXT, as supervisor"
        )
    overridden = {"override_by": override_by.strip(), "override_reason": override_reason.strip()} if stops else {}
    return Screening(on=on, answers=dict(answers), flags=flags, stops=stops, **overridden)


def _judged(answers: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    yes = [topic for topic in TOPICS if answers[topic]]
    return tuple(topic for topic in yes if topic in FLAGS), tuple(topic for topic in yes if topic in STOPS)
