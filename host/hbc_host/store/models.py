"""Tables of the store. Patients are pseudonyms: there is no column for a name, an address or a date of birth.

What belongs to a session stands in `hbc_host.store.session_models`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, Float, ForeignKey, Integer, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if TYPE_CHECKING:
    from hbc_host.store.session_models import MotorThreshold, ScreeningRow, Visit

#: Origins of an adverse event.
SESSION, HAND = "session", "hand"


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

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


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
    retain_until: Mapped[date | None]  # after this day the clinic decides whether to delete
    visits: Mapped[list[Visit]] = relationship(cascade="all, delete-orphan", order_by="Visit.at")
    scores: Mapped[list[Score]] = relationship(cascade="all, delete-orphan", order_by="Score.on")
    events: Mapped[list[AdverseEvent]] = relationship(cascade="all, delete-orphan", order_by="AdverseEvent.at")
    thresholds: Mapped[list[MotorThreshold]] = relationship(
        cascade="all, delete-orphan", order_by="MotorThreshold.on, MotorThreshold.id"
    )
    screenings: Mapped[list[ScreeningRow]] = relationship(
        cascade="all, delete-orphan", order_by="ScreeningRow.on, ScreeningRow.id"
    )


class Score(Base):
    """Total of one outcome scale on one day. Only totals: the wording of many scales is licensed."""

    __tablename__ = "score"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    on: Mapped[date]
    scale: Mapped[str] = mapped_column(String(20))
    total: Mapped[float] = mapped_column(Float)
    treatment_n: Mapped[int | None]
    series_n: Mapped[int] = mapped_column(Integer, default=1)  # which course of treatment, from 1
    __table_args__ = (UniqueConstraint("patient_id", "on", "scale"),)


class AdverseEvent(Base):
    """Something unwanted that happened to a patient, related or not.

    ``origin`` is where the row comes from: ``session``, the log of a recording, ``hand``, or empty, which is not known
    of rows that were kept before this was noted. What a session kept is replaced when it is taken up again.
    """

    __tablename__ = "adverse_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id", ondelete="CASCADE"))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id", ondelete="SET NULL"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[str] = mapped_column(String(80))
    origin: Mapped[str] = mapped_column(String(10), default="")


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


class RoleRow(Base):
    """What a login of the computer may do with this store."""

    __tablename__ = "role"

    login: Mapped[str] = mapped_column(String(80), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))


class Setting(Base):
    """A value of the store itself, such as the secret behind the codes of pseudonymised exports."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
