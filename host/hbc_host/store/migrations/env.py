"""How alembic reaches the store: over the connection that hbc_host.store.database opened."""

from alembic import context
from hbc_host.store.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
