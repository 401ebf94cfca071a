"""Documents with their words, and how pictures look.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables; what lies in the chains already is taken in anew for them."""
    op.create_table(
        "documents",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("key", _WORDS, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("by", _WORDS, nullable=False),
        sa.Column("title", _WORDS, nullable=False),
        sa.Column("body", _WORDS, nullable=False),
        sa.Column("run", _WORDS),
        sa.Column("path", _WORDS),
        sa.Column("commit", _WORDS),
        sa.UniqueConstraint("project", "kind", "key", name="documents_by_key"),
    )
    op.create_index("documents_by_run", "documents", ["project", "run"])
    op.create_table(
        "pictures",
        sa.Column("md5", _WORDS, primary_key=True),
        sa.Column("form", sa.BigInteger, nullable=False),
        sa.Column("look", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "create virtual table document_words using fts5"
            "(words, content='', detail=none, prefix='2 3', tokenize='ascii')"
        )
    else:
        op.execute(
            "create table document_words"
            " (number bigint primary key, project bigint not null, words tsvector not null)"
        )
        op.execute("create index document_words_by_word on document_words using gin (words)")
    for table in ("run_values", "names", "runs", "activities", "artifacts", "projects"):
        op.execute(f"delete from {table}")
