"""The tables of the search index, on SQLite and on PostgreSQL.

Projects and names are numbers here: the values of runs are the bulk of the index, and narrow rows are fast.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

#: SQLite numbers rows by itself only where the type is exactly INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
#: Ordered by its bytes, on both databases.
_WORDS = Text().with_variant(Text(collation="C"), "postgresql")

projects = Table(
    "projects",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("name", _WORDS, nullable=False, unique=True),
    Column("tip", _WORDS),  # the newest entry of the chain that is in here
    Column("snapshot", _WORDS),  # the commit whose files were looked at last
    Column("names_changed", BigInteger, nullable=False, server_default="0"),  # when its names did, in ns
)

runs = Table(
    "runs",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("id", _WORDS, nullable=False),
    Column("state", _WORDS, nullable=False),
    Column("ref", _WORDS, nullable=False),
    Column("branch", _WORDS, nullable=False),
    Column("commit", _WORDS, nullable=False),
    Column("member", _WORDS, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("seconds", Float),
    Column("cause", _WORDS),
    Column("result_commit", _WORDS),
    Column("has_moved_branch", Boolean, nullable=False),
    Column("is_recorded", Boolean, nullable=False),  # its end is told by the chain
    UniqueConstraint("project", "id", name="runs_by_id"),
    Index("runs_by_time", "project", "created_at", "number"),
    Index("runs_by_state", "project", "state", "created_at", "number"),
    Index("runs_by_member", "project", "member", "created_at", "number"),
    Index("runs_by_branch", "project", "branch", "created_at", "number"),
    Index("runs_by_seconds", "project", "seconds", "number"),
    Index(
        "runs_alive",
        "project",
        sqlite_where=text("is_recorded = 0"),
        postgresql_where=text("not is_recorded"),
    ),
)

#: Names of parameters and metrics, of all projects together; a metric's is `path:key`.
names = Table(
    "names",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("kind", _WORDS, nullable=False),  # param, metric
    Column("name", _WORDS, nullable=False),
    UniqueConstraint("kind", "name", name="names_by_name"),
)

#: Which of them a project has: its columns.
project_names = Table(
    "project_names",
    METADATA,
    Column("project", _NUMBER, primary_key=True, autoincrement=False),
    Column("name", _NUMBER, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

#: Parameters and metrics of runs, to filter and to sort by. A stage's matrix gives one name several values:
#: `place` tells them apart.
run_values = Table(
    "run_values",
    METADATA,
    Column("run", _NUMBER, primary_key=True, autoincrement=False),
    Column("name", _NUMBER, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("project", _NUMBER, nullable=False),
    Column("value", Float),
    Column("word", _WORDS),  # what is no number, or was written otherwise
    Index("values_by_value", "project", "name", "value", "run"),
    Index("values_by_word", "project", "name", "word", "run", sqlite_where=text("word is not null"),
          postgresql_where=text("word is not null")),
    sqlite_with_rowid=False,
)  # fmt: skip

#: The same as a page shows them, so that a row of the runs table costs one look.
run_sheets = Table(
    "run_sheets",
    METADATA,
    Column("run", _NUMBER, primary_key=True, autoincrement=False),
    Column("sheet", LargeBinary, nullable=False),  # lockgate.hub.search.sheet
)

activities = Table(
    "activities",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("entry", _WORDS, nullable=False),  # the commit on the chain; of a sitting its first in the journal
    Column("kind", _WORDS, nullable=False),
    Column("at", Float, nullable=False),
    Column("by", _WORDS, nullable=False),
    Column("title", _WORDS, nullable=False),
    Column("ref", _WORDS),
    Column("commit", _WORDS),
    Column("run", _WORDS),
    Column("detail", LargeBinary, nullable=False),  # feed.Detail as JSON
    UniqueConstraint("project", "entry", name="activities_by_entry"),
    Index("activities_by_time", "project", "at", "number"),
    Index("activities_by_member", "project", "by", "at", "number"),
    Index("activities_by_kind", "project", "kind", "at", "number"),
    Index("activities_by_ref", "project", "ref", "at", "number"),
    Index("activities_by_run", "project", "run", sqlite_where=text("run is not null"),
          postgresql_where=text("run is not null")),
)  # fmt: skip

#: Members' journals, and how far each has been taken in.
journals = Table(
    "journals",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("ref", _WORDS, nullable=False),
    Column("tip", _WORDS),  # the newest entry that is in here
    UniqueConstraint("project", "ref", name="journals_by_ref"),
)

#: What was executed. A sitting of cells is one activity, so that the feed's length is not that of journals.
cells = Table(
    "cells",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("journal", _NUMBER, nullable=False),
    Column("sitting", _NUMBER, nullable=False),  # the activity's number
    Column("entry", _WORDS, nullable=False),  # the commit in the journal
    Column("at", Float, nullable=False),
    Column("line", LargeBinary, nullable=False),  # detail.CellLine as JSON
    UniqueConstraint("project", "entry", name="cells_by_entry"),
    Index("cells_by_sitting", "sitting", "number"),
    Index("cells_by_journal", "journal", "at"),
)

#: What stages made, files in folders too, once for the run that made them.
artifacts = Table(
    "artifacts",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("run", _WORDS, nullable=False),
    Column("stage", _WORDS, nullable=False),
    Column("path", _WORDS, nullable=False),
    Column("kind", _WORDS, nullable=False),
    Column("md5", _WORDS, nullable=False),
    Column("git", _WORDS),
    Column("size_bytes", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Index("artifacts_by_md5", "md5"),
    Index("artifacts_by_run", "project", "run"),
)

#: What can be searched for; its words are in `document_words` (see `lockgate.hub.search.words`).
documents = Table(
    "documents",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("project", _NUMBER, nullable=False),
    Column("kind", _WORDS, nullable=False),  # activity, run, commit, code, log, data, cell
    Column("key", _WORDS, nullable=False),  # what it is of, so that it comes in once
    Column("at", Float, nullable=False),
    Column("by", _WORDS, nullable=False),
    Column("title", _WORDS, nullable=False),
    Column("body", _WORDS, nullable=False),
    Column("run", _WORDS),
    Column("path", _WORDS),
    Column("commit", _WORDS),
    UniqueConstraint("project", "kind", "key", name="documents_by_key"),
    Index("documents_by_run", "project", "run"),
    Index("documents_by_time", "at", "number"),
)

#: How pictures look, of those artifacts that are pictures: to find one that was scaled or saved anew.
pictures = Table(
    "pictures",
    METADATA,
    Column("md5", _WORDS, primary_key=True),
    Column("form", BigInteger, nullable=False),  # coarse: 64 bits
    Column("look", LargeBinary, nullable=False),  # fine: grey values
)

#: Browser sessions. Losing them means logging in again.
sessions = Table(
    "sessions",
    METADATA,
    Column("digest", _WORDS, primary_key=True),  # sha256 of what the browser holds
    Column("member", _WORDS, nullable=False),
    Column("csrf", _WORDS, nullable=False),
    Column("password", _WORDS, key="mark", nullable=False),  # of the member, and of the one they had
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("sessions_by_member", "member"),
    Index("sessions_by_expiry", "expires_at"),
)

#: Wrong passwords and tokens of late.
attempts = Table(
    "attempts",
    METADATA,
    Column("digest", _WORDS, primary_key=True),  # sha256 of whose account, or from which address
    Column("wrong", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("forgotten_at", Float, nullable=False),
    Index("attempts_by_end", "forgotten_at"),
)

#: What members gave programs that asked who they are. Losing it means logging in there again.
oauth_grants = Table(
    "oauth_grants",
    METADATA,
    Column("code", _WORDS, primary_key=True),  # sha256 of it
    Column("token", _WORDS, unique=True),  # sha256 of it, once the code was traded
    Column("client", _WORDS, nullable=False),
    Column("member", _WORDS, nullable=False),
    Column("mark", _WORDS, nullable=False),  # of the member, and of the password they had
    Column("redirect_uri", _WORDS, nullable=False),
    Column("challenge", _WORDS, nullable=False),
    Column("scopes", _WORDS, nullable=False),
    Column("nonce", _WORDS, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float),
    Column("expires_at", Float, nullable=False),
    Index("oauth_grants_by_member", "member", "client"),
    Index("oauth_grants_by_expiry", "expires_at"),
)

#: Views of the runs table that members saved.
views = Table(
    "views",
    METADATA,
    Column("project", _WORDS, primary_key=True),
    Column("owner", _WORDS, primary_key=True),
    Column("name", _WORDS, primary_key=True),
    Column("filter", _WORDS, nullable=False),
    Column("sort", _WORDS, nullable=False),
    Column("columns", _WORDS, nullable=False),  # a JSON list; `null`: those that the runs have
)

#: Of these, rebuilding leaves the content alone: nothing else has it.
KEPT = (sessions, attempts, oauth_grants, views)
