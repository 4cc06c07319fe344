"""What Alembic runs: the steps, on the connection and in the transaction that `schema.migrate` provides."""

from __future__ import annotations

from alembic import context

from keybearer.server.storage.messaging import tables as message_tables

connection = context.config.attributes["connection"]
# SQLite can change few things in place, so its tables are rebuilt if necessary (batch mode).
context.configure(
    connection=connection,
    target_metadata=message_tables.metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
