"""What members executed, from their journals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables; they are filled from git."""
    op.create_table(
        "journals",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("ref", _WORDS, nullable=False),
        sa.Column("tip", _WORDS),
        sa.UniqueConstraint("project", "ref", name="journals_by_ref"),
    )
    op.create_table(
        "cells",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("journal", _NUMBER, nullable=False),
        sa.Column("sitting", _NUMBER, nullable=False),
        sa.Column("entry", _WORDS, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("project", "entry", name="cells_by_entry"),
    )
    op.create_index("cells_by_sitting", "cells", ["sitting", "number"])
    op.create_index("cells_by_journal", "cells", ["journal", "at"])
