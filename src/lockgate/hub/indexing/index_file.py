"""The file of the index: opened, its tables made or brought to today's form, its faults told in words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.hub.indexing.tables import FORMAT, SCHEMA, UPGRADES

BUSY_TIMEOUT_S = 60.0


def open_index(path: Path, *, is_read_only: bool) -> sqlite3.Connection:
    """Return a connection to the index, made where it is not there; one of an older form is opened to write.

    Raises `OutsideError` (`index-damaged`, `index-unavailable`).
    """
    with in_words(path):
        if is_read_only and path.exists():
            sql = sqlite3.connect(
                f"file:{_quoted(path)}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            if sql.execute("pragma user_version").fetchone()[0] == FORMAT:
                return sql
            sql.close()
        sql = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        _use_wal(sql)
        sql.execute("pragma synchronous = normal")
        _create(sql, path)
        return sql


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Raise what SQLite or a damaged row raises inside as `OutsideError`, see `Index`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutsideError(
            f"the hub's index {path} cannot be used: {error}",
            "Look at the disk (df -h) and the rights of the hub's directory, then try again.",
            code="index-unavailable",
            is_transient=True,
        ) from error
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise OutsideError(
            f"the hub's index {path} is damaged: {error}",
            f"Build it anew, nothing is lost: lockgate hub reindex --hub {path.parent}",
            code="index-damaged",
        ) from error


def _use_wal(sql: sqlite3.Connection) -> None:
    """Several that open a new index at once: SQLite does not wait for whoever is changing the mode."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            sql.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _create(sql: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file; bring those of an older one to the form of today, step by step."""
    found: tuple[int] = sql.execute("pragma user_version").fetchone()
    if found[0] == FORMAT:
        return
    sql.execute("begin immediate")
    found = sql.execute("pragma user_version").fetchone()
    form = found[0]
    if form == 0:
        for statement in SCHEMA.split(";"):
            sql.execute(statement)
        sql.execute(f"pragma user_version = {FORMAT}")
    while form in UPGRADES:
        for statement in UPGRADES[form].split(";"):
            sql.execute(statement)
        form += 1
        sql.execute(f"pragma user_version = {form}")
    sql.execute("commit")
    if form not in (0, FORMAT):
        raise OutsideError(
            f"{path} has format {form}; this Lockgate knows format {FORMAT}",
            "Use the Lockgate it was written by, or move the file away and: lockgate hub reindex",
            code="index-damaged",
        )


def _quoted(path: Path) -> str:
    from urllib.parse import quote  # noqa: PLC0415  (3 ms, only for readers)

    return quote(str(path))
