"""Where alembic begins: it is handed an open connection (see `lockgate.hub.search.database`)."""

from __future__ import annotations

from alembic import context

from lockgate.hub.search.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    transactional_ddl=True,
)
context.run_migrations()
