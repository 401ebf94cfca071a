"""Runs with values, activities, artifacts, documents with words, pictures, sessions, attempts, views.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _projects_and_runs()
    _values()
    _activities()
    _artifacts()
    _documents()
    _of_the_service()


def _projects_and_runs() -> None:
    op.create_table(
        "projects",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("name", _WORDS, nullable=False, unique=True),
        sa.Column("tip", _WORDS),
        sa.Column("snapshot", _WORDS),
        sa.Column("names_changed", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "runs",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("id", _WORDS, nullable=False),
        sa.Column("state", _WORDS, nullable=False),
        sa.Column("ref", _WORDS, nullable=False),
        sa.Column("branch", _WORDS, nullable=False),
        sa.Column("commit", _WORDS, nullable=False),
        sa.Column("member", _WORDS, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("seconds", sa.Float),
        sa.Column("cause", _WORDS),
        sa.Column("result_commit", _WORDS),
        sa.Column("has_moved_branch", sa.Boolean, nullable=False),
        sa.Column("is_recorded", sa.Boolean, nullable=False),
        sa.UniqueConstraint("project", "id", name="runs_by_id"),
    )
    op.create_index("runs_by_time", "runs", ["project", "created_at", "number"])
    for column in ("state", "member", "branch"):
        op.create_index(f"runs_by_{column}", "runs", ["project", column, "created_at", "number"])
    op.create_index("runs_by_seconds", "runs", ["project", "seconds", "number"])
    op.create_index(
        "runs_alive",
        "runs",
        ["project"],
        sqlite_where=sa.text("is_recorded = 0"),
        postgresql_where=sa.text("not is_recorded"),
    )


def _values() -> None:
    op.create_table(
        "names",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("name", _WORDS, nullable=False),
        sa.UniqueConstraint("kind", "name", name="names_by_name"),
    )
    op.create_table(
        "project_names",
        sa.Column("project", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("name", _NUMBER, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_values",
        sa.Column("run", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("name", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("word", _WORDS),
        sqlite_with_rowid=False,
    )
    op.create_index("values_by_value", "run_values", ["project", "name", "value", "run"])
    _index_where("values_by_word", "run_values", ["project", "name", "word", "run"], "word is not null")
    op.create_table(
        "run_sheets",
        sa.Column("run", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("sheet", sa.LargeBinary, nullable=False),
    )


def _activities() -> None:
    op.create_table(
        "activities",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("entry", _WORDS, nullable=False),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("by", _WORDS, nullable=False),
        sa.Column("title", _WORDS, nullable=False),
        sa.Column("ref", _WORDS),
        sa.Column("commit", _WORDS),
        sa.Column("run", _WORDS),
        sa.Column("detail", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("project", "entry", name="activities_by_entry"),
    )
    op.create_index("activities_by_time", "activities", ["project", "at", "number"])
    for index, column in (("member", "by"), ("kind", "kind"), ("ref", "ref")):
        op.create_index(f"activities_by_{index}", "activities", ["project", column, "at", "number"])
    _index_where("activities_by_run", "activities", ["project", "run"], "run is not null")


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("project", _NUMBER, nullable=False),
        sa.Column("run", _WORDS, nullable=False),
        sa.Column("stage", _WORDS, nullable=False),
        sa.Column("path", _WORDS, nullable=False),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("md5", _WORDS, nullable=False),
        sa.Column("git", _WORDS),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("artifacts_by_md5", "artifacts", ["md5"])
    op.create_index("artifacts_by_run", "artifacts", ["project", "run"])


def _documents() -> None:
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
            "(words, content='', detail=none, tokenize=\"ascii tokenchars '.'\")"
        )
    else:
        op.execute("create table document_words (number bigint primary key, words tsvector not null)")
        # Without a list of what is still to be sorted in: every question would read all of it
        op.execute(
            "create index document_words_by_word on document_words using gin (words) with (fastupdate = off)"
        )


def _of_the_service() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", _WORDS, primary_key=True),
        sa.Column("member", _WORDS, nullable=False),
        sa.Column("csrf", _WORDS, nullable=False),
        sa.Column("password", _WORDS, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("sessions_by_member", "sessions", ["member"])
    op.create_index("sessions_by_expiry", "sessions", ["expires_at"])
    op.create_table(
        "attempts",
        sa.Column("digest", _WORDS, primary_key=True),
        sa.Column("wrong", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("forgotten_at", sa.Float, nullable=False),
    )
    op.create_index("attempts_by_end", "attempts", ["forgotten_at"])
    op.create_table(
        "views",
        sa.Column("project", _WORDS, primary_key=True),
        sa.Column("owner", _WORDS, primary_key=True),
        sa.Column("name", _WORDS, primary_key=True),
        sa.Column("filter", _WORDS, nullable=False),
        sa.Column("sort", _WORDS, nullable=False),
        sa.Column("columns", _WORDS, nullable=False),
    )


def _index_where(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(
        name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )
