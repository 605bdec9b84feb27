"""Where an adverse event comes from: the log of a session, or somebody's hand. Of those of before it is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, empty for what is there."""
    op.add_column("adverse_event", sa.Column("origin", sa.String(10), nullable=False, server_default=""))


def downgrade() -> None:
    """Not offered: events of sessions and of hands could not be told apart again."""
    raise RuntimeError("a store is never converted back: keep a backup of before instead")
