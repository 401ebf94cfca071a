"""When what documents tell of was done, to know that older ones tell of nothing newer."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("documents_by_time", "documents", ["at", "number"])
