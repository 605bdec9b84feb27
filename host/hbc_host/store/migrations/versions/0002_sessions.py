"""Sessions whole: box, runs, steps, ratings, motor thresholds, screening; roles, settings, retention.

Motor thresholds that visits had become rows of their own, with the day of the visit.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add tables and columns; what is there stays."""
    _make_parents()
    op.add_column("patient", sa.Column("retain_until", sa.Date))
    op.add_column("score", sa.Column("series_n", sa.Integer, nullable=False, server_default="1"))
    # SQLite rebuilds a table for this. It must have no children yet: dropping the old one would delete them.
    with op.batch_alter_table("visit") as visit:
        for column in _visit_columns():
            visit.add_column(column)
    _fill_visits()
    with op.batch_alter_table("visit") as visit:
        visit.alter_column("uid", existing_type=sa.String(32), nullable=False)
        visit.alter_column("visit_n", existing_type=sa.Integer, nullable=False)
        visit.create_unique_constraint("uq_visit_uid", ["uid"])
        visit.drop_column("mt_mso_pct")
        visit.drop_column("mt_method")
    with op.batch_alter_table("adverse_event") as event:
        event.add_column(_reference("visit_id", "visit", "SET NULL", "fk_event_visit"))
    _make_children()


def _make_parents() -> None:
    op.create_table(
        "box",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("unique_id", sa.String(40), nullable=False, unique=True),
        sa.Column("board", sa.String(80), nullable=False),
        sa.Column("firmware", sa.String(40), nullable=False),
        sa.Column("first_seen", sa.DateTime, nullable=False),
        sa.Column("last_seen", sa.DateTime, nullable=False),
    )
    op.create_table(
        "motor_threshold",
        sa.Column("id", sa.Integer, primary_key=True),
        _owner("patient"),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("mso_pct", sa.Float, nullable=False),
        sa.Column("method", sa.String(80), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    )
    op.create_table(
        "screening",
        sa.Column("id", sa.Integer, primary_key=True),
        _owner("patient"),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("stops", sa.JSON, nullable=False),
        sa.Column("override_by", sa.String(80), nullable=False),
        sa.Column("override_reason", sa.Text, nullable=False),
    )
    op.create_table(
        "role",
        sa.Column("login", sa.String(80), primary_key=True),
        sa.Column("role", sa.String(20), nullable=False),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.String(200), nullable=False),
    )


def _visit_columns() -> Iterator[sa.Column[Any]]:
    yield sa.Column("uid", sa.String(32))
    yield sa.Column("visit_n", sa.Integer)
    # Visits of before were entered with their recording.
    yield sa.Column("status", sa.String(20), nullable=False, server_default="finished")
    yield sa.Column("ended_at", sa.DateTime)
    yield sa.Column("practice", sa.Boolean, nullable=False, server_default=sa.false())
    yield sa.Column("series_n", sa.Integer, nullable=False, server_default="1")
    for name, size in (("approval", 200), ("language", 5), ("protocol", 40), ("protocol_sha256", 64)):
        yield sa.Column(name, sa.String(size), nullable=False, server_default="en" if name == "language" else "")
    yield sa.Column("protocol_signed_by", sa.String(40), nullable=False, server_default="")
    yield sa.Column("pulses_elsewhere_n", sa.Integer, nullable=False, server_default="0")
    yield sa.Column("pulses_planned_n", sa.Integer)
    yield sa.Column("pulses_delivered_n", sa.Integer)
    yield sa.Column("notes", sa.JSON, nullable=False, server_default="[]")
    yield sa.Column("box_id", sa.Integer, sa.ForeignKey("box.id", name="fk_visit_box"))
    yield _reference("threshold_id", "motor_threshold", "SET NULL", "fk_visit_threshold")
    yield _reference("screening_id", "screening", "SET NULL", "fk_visit_screening")


def _fill_visits() -> None:
    connection = op.get_bind()
    meta = sa.MetaData()
    visit = sa.Table("visit", meta, autoload_with=connection)
    threshold = sa.Table("motor_threshold", meta, autoload_with=connection)
    counts: dict[int, int] = {}
    for row in connection.execute(sa.select(visit).order_by(visit.c.patient_id, visit.c.at, visit.c.id)).all():
        counts[row.patient_id] = counts.get(row.patient_id, 0) + 1
        values: dict[str, Any] = {"uid": uuid.uuid4().hex, "visit_n": counts[row.patient_id]}
        if row.mt_mso_pct is not None:
            made = connection.execute(
                threshold.insert().values(
                    patient_id=row.patient_id, on=row.at.date(), mso_pct=row.mt_mso_pct, method=row.mt_method, by=""
                )
            )
            assert made.inserted_primary_key is not None
            values["threshold_id"] = made.inserted_primary_key[0]
        connection.execute(visit.update().where(visit.c.id == row.id).values(values))


def _make_children() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        _owner("visit"),
        sa.Column("run_n", sa.Integer, nullable=False),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("rule", sa.String(20), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("control", sa.Boolean, nullable=False),
        sa.Column("measures", sa.JSON, nullable=False),
        sa.Column("space", sa.String(80), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.UniqueConstraint("visit_id", "run_n"),
    )
    op.create_table(
        "step",
        sa.Column("id", sa.Integer, primary_key=True),
        _owner("run"),
        sa.Column("step_n", sa.Integer, nullable=False),
        sa.Column("intensity_mso_pct", sa.Float, nullable=False),
        sa.Column("trains_planned_n", sa.Integer, nullable=False),
        sa.Column("pulses_planned_n", sa.Integer, nullable=False),
        sa.Column("trains_n", sa.Integer),
        sa.Column("pulses_n", sa.Integer),
        sa.UniqueConstraint("run_id", "step_n"),
    )
    op.create_table(
        "rating",
        sa.Column("id", sa.Integer, primary_key=True),
        _owner("visit"),
        sa.Column("site", sa.String(40), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("at", sa.DateTime),
    )


def _owner(table: str) -> sa.Column[Any]:
    return sa.Column(f"{table}_id", sa.Integer, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def _reference(column: str, table: str, ondelete: str, name: str) -> sa.Column[Any]:
    return sa.Column(column, sa.Integer, sa.ForeignKey(f"{table}.id", ondelete=ondelete, name=name))


def downgrade() -> None:
    """Not offered: it would throw sessions away. Keep a backup of before instead."""
    raise RuntimeError("a store is never converted back: an older version would lose runs and screenings")
