"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "patient",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pseudonym", sa.String(32), nullable=False, unique=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("added", sa.DateTime, nullable=False),
        sa.Column("diagnosis", sa.String(20), nullable=False),
        sa.Column("sex", sa.String(1), nullable=False),
        sa.Column("birth_year", sa.Integer),
        sa.Column("medication", sa.Text, nullable=False),
        sa.Column("therapy", sa.Text, nullable=False),
        sa.Column("approval", sa.String(200), nullable=False),
    )
    op.create_table(
        "visit",
        sa.Column("id", sa.Integer, primary_key=True),
        _patient(),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("treatment_n", sa.Integer),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("operator", sa.String(80), nullable=False),
        sa.Column("supervisor", sa.String(80), nullable=False),
        sa.Column("second_person", sa.String(80), nullable=False),
        sa.Column("mt_mso_pct", sa.Float),
        sa.Column("mt_method", sa.String(80), nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON, nullable=False),
        sa.UniqueConstraint("patient_id", "folder", "at"),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Integer, primary_key=True),
        _patient(),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("scale", sa.String(20), nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("treatment_n", sa.Integer),
        sa.UniqueConstraint("patient_id", "on", "scale"),
    )
    op.create_table(
        "adverse_event",
        sa.Column("id", sa.Integer, primary_key=True),
        _patient(),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )


def _patient() -> sa.Column[int]:
    return sa.Column("patient_id", sa.Integer, sa.ForeignKey("patient.id", ondelete="CASCADE"), nullable=False)


def downgrade() -> None:
    """Drop them."""
    for name in ("audit", "adverse_event", "score", "visit", "patient"):
        op.drop_table(name)
