"""Entries are found by the words of their titles: the index is built again from git, with these words."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    "run_values",
    "run_sheets",
    "project_names",
    "names",
    "runs",
    "activities",
    "artifacts",
    "documents",
    "pictures",
    "projects",
)


def upgrade() -> None:
    for table in _TABLES:
        op.execute(f"delete from {table}")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("insert into document_words (document_words) values ('delete-all')")
    else:
        op.execute("truncate document_words")
