"""Tables of what belongs to a session: visit, box, runs at sites, steps, ratings, motor thresholds, screening."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hbc_host.store.models import AdverseEvent, Base

PLANNED, RUNNING, FINISHED, STOPPED = "planned", "running", "finished", "stopped"


class Box(Base):
    """A box that measured here."""

    __tablename__ = "box"

    id: Mapped[int] = mapped_column(primary_key=True)
    unique_id: Mapped[str] = mapped_column(String(40), unique=True)
    board: Mapped[str] = mapped_column(String(80), default="")
    firmware: Mapped[str] = mapped_column(String(40), default="")
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class MotorThreshold(Base):
    """A motor threshold of a patient."""

    __tablename__ = "motor_threshold"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    on: Mapped[date]
    mso_pct: Mapped[float] = mapped_column(Float)
    method: Mapped[str] = mapped_column(String(80), default="")
    by: Mapped[str] = mapped_column(String(80), default="")


class ScreeningRow(Base):
    """Answers of a screening (hbc_host.clinic.screening), with what a physician overrode."""

    __tablename__ = "screening"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    on: Mapped[date]
    answers: Mapped[dict[str, Any]]
    flags: Mapped[list[str]]
    stops: Mapped[list[str]]
    override_by: Mapped[str] = mapped_column(String(80), default="")
    override_reason: Mapped[str] = mapped_column(Text, default="")


class Visit(Base):
    """One session: plan, people present, state of the patient, recording, result."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)  # as in visit.json, wherever its folder goes
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    visit_n: Mapped[int]  # of this patient, from 1
    at: Mapped[datetime]  # when it was laid down; once it has begun, when that was
    status: Mapped[str] = mapped_column(String(20), default=FINISHED)
    ended_at: Mapped[datetime | None]
    practice: Mapped[bool] = mapped_column(Boolean, default=False)
    series_n: Mapped[int] = mapped_column(Integer, default=1)  # which course of treatment, from 1
    treatment_n: Mapped[int | None]  # treatments up to and with this one
    folder: Mapped[str] = mapped_column(Text, default="")
    operator: Mapped[str] = mapped_column(String(80), default="")
    supervisor: Mapped[str] = mapped_column(String(80), default="")
    second_person: Mapped[str] = mapped_column(String(80), default="")
    approval: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    protocol: Mapped[str] = mapped_column(String(40), default="")
    protocol_sha256: Mapped[str] = mapped_column(String(64), default="")
    protocol_signed_by: Mapped[str] = mapped_column(String(40), default="")
    pulses_elsewhere_n: Mapped[int] = mapped_column(Integer, default=0)  # earlier that day, not in this store
    pulses_planned_n: Mapped[int | None]
    pulses_delivered_n: Mapped[int | None]
    box_id: Mapped[int | None] = mapped_column(ForeignKey("box.id"))
    threshold_id: Mapped[int | None] = mapped_column(ForeignKey("motor_threshold.id", ondelete="SET NULL"))
    screening_id: Mapped[int | None] = mapped_column(ForeignKey("screening.id", ondelete="SET NULL"))
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)  # sleep, caffeine, alcohol, medication ...
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)  # as `hbc analyze --json` writes it
    notes: Mapped[list[str]] = mapped_column(default=list)
    box: Mapped[Box | None] = relationship()
    threshold: Mapped[MotorThreshold | None] = relationship()
    screening: Mapped[ScreeningRow | None] = relationship()
    runs: Mapped[list[Run]] = relationship(cascade="all, delete-orphan", order_by="Run.run_n")
    ratings: Mapped[list[Rating]] = relationship(cascade="all, delete-orphan", order_by="Rating.id")
    events: Mapped[list[AdverseEvent]] = relationship(order_by="AdverseEvent.at", viewonly=True)
    __table_args__ = (UniqueConstraint("patient_id", "folder", "at"),)

    @property
    def mt_mso_pct(self) -> float | None:
        """Motor threshold of this visit, percent of stimulator output."""
        return None if self.threshold is None else self.threshold.mso_pct

    @property
    def mt_method(self) -> str:
        """How it was found."""
        return "" if self.threshold is None else self.threshold.method


class Run(Base):
    """One site of a visit: where it lies, what was planned, what was delivered."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    run_n: Mapped[int]  # from 1, in the order of the plan
    site: Mapped[str] = mapped_column(String(40))
    rule: Mapped[str] = mapped_column(String(20), default="")
    side: Mapped[str] = mapped_column(String(10), default="")
    control: Mapped[bool] = mapped_column(Boolean, default=False)
    measures: Mapped[dict[str, Any]] = mapped_column(default=dict)  # names carry their unit
    space: Mapped[str] = mapped_column(String(80), default="")
    source: Mapped[str] = mapped_column(String(200), default="")
    steps: Mapped[list[Step]] = relationship(cascade="all, delete-orphan", order_by="Step.step_n")
    __table_args__ = (UniqueConstraint("visit_id", "run_n"),)


class Step(Base):
    """Trains of one intensity in a run, planned and delivered (None: not known)."""

    __tablename__ = "step"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    step_n: Mapped[int]  # from 1
    intensity_mso_pct: Mapped[float] = mapped_column(Float)
    trains_planned_n: Mapped[int]
    pulses_planned_n: Mapped[int]
    trains_n: Mapped[int | None]
    pulses_n: Mapped[int | None]
    __table_args__ = (UniqueConstraint("run_id", "step_n"),)


class Rating(Base):
    """A silent rating of discomfort, 0 to 10."""

    __tablename__ = "rating"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    site: Mapped[str] = mapped_column(String(40), default="")
    value: Mapped[float] = mapped_column(Float)
    at: Mapped[datetime | None]
