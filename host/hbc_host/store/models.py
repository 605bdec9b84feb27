"""Tables of the store. Patients are pseudonyms: there is no column for a name, an address or a date of birth."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Float, ForeignKey, Integer, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcTime(TypeDecorator[datetime]):
    """Aware instants, kept as UTC: SQLite knows no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a time without a zone, and store the rest as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy reads it from the class


class Patient(Base):
    """One person under a pseudonym."""

    __tablename__ = "patient"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(32), unique=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)  # counterbalanced orders go by it
    added: Mapped[datetime]
    diagnosis: Mapped[str] = mapped_column(String(20), default="")
    sex: Mapped[str] = mapped_column(String(1), default="")
    birth_year: Mapped[int | None]
    medication: Mapped[str] = mapped_column(Text, default="")
    therapy: Mapped[str] = mapped_column(Text, default="")
    approval: Mapped[str] = mapped_column(String(200), default="")  # ethics or regulatory status of the use
    visits: Mapped[list[Visit]] = relationship(cascade="all, delete-orphan", order_by="Visit.at")
    scores: Mapped[list[Score]] = relationship(cascade="all, delete-orphan", order_by="Score.on")
    events: Mapped[list[AdverseEvent]] = relationship(cascade="all, delete-orphan", order_by="AdverseEvent.at")


class Visit(Base):
    """One session: recording, people present, motor threshold, state of the patient, result."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    treatment_n: Mapped[int | None]  # treatments up to and with this one
    folder: Mapped[str] = mapped_column(Text, default="")
    operator: Mapped[str] = mapped_column(String(80), default="")
    supervisor: Mapped[str] = mapped_column(String(80), default="")
    second_person: Mapped[str] = mapped_column(String(80), default="")
    mt_mso_pct: Mapped[float | None] = mapped_column(Float)
    mt_method: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)  # sleep, caffeine, alcohol, medication ...
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)  # as `hbc analyze --json` writes it
    __table_args__ = (UniqueConstraint("patient_id", "folder", "at"),)


class Score(Base):
    """Total of one outcome scale on one day. Only totals: the wording of many scales is licensed."""

    __tablename__ = "score"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    on: Mapped[date]
    scale: Mapped[str] = mapped_column(String(20))
    total: Mapped[float] = mapped_column(Float)
    treatment_n: Mapped[int | None]
    __table_args__ = (UniqueConstraint("patient_id", "on", "scale"),)


class AdverseEvent(Base):
    """Something unwanted that happened to a patient, related or not."""

    __tablename__ = "adverse_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[str] = mapped_column(String(80))


class Audit(Base):
    """Who changed what; each row holds the hash of the one before: one altered, or taken out between others, shows.

    Rows name patients by number only, so that they can stay when a patient's data are deleted.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    what: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
