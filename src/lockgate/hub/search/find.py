"""One box for everything: code, messages, logs, parameters, metrics, people, days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, func, select

from lockgate.hub.search.database import Database
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.tables import documents
from lockgate.hub.search.tables import projects as projects_table
from lockgate.hub.search.words import asked_words, find_documents, fold

Kind = Literal["activity", "run", "commit", "code", "log", "data", "cell"]
LONGEST = 200
#: So many matches are looked at for those of readable projects, newest first.
_LOOKED_AT = 2_000
#: So many projects are named to the database; among more, matches are looked through.
_NAMED = 100
_AROUND = 80


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found. `at`: seconds since the epoch."""

    kind: Kind
    project: str
    at: float
    by: str
    title: str
    excerpt: str
    """Some of its text around the words; may be empty."""
    run: str | None = None
    path: str | None = None
    """Of code: the file; of a log: its path in the tree of the entry `commit`; of a cell: the notebook."""
    commit: str | None = None
    """Of an activity, run, log or cell: the entry on the chain or in a journal; of code: a commit that has
    it."""


def search(
    database: Database,
    projects: Sequence[str],
    text: str,
    limit: int = 50,
    kind: Kind | None = None,
) -> tuple[Hit, ...]:
    """Return what holds all the words of a question, newest first; the last word may be only begun.

    A question without any word, as of signs alone, finds nothing. Raises `OutsideError`
    (`search-unavailable`).
    """
    words = asked_words(text)
    size = max(1, min(limit, LONGEST))
    if not words:
        return ()
    with database.read() as connection:
        known = load_projects(connection, projects)
        rows = _found(connection, known, words, kind, size) if known else []
    return tuple(_hit(row, known, words) for row in rows)


def _found(
    connection: Connection, known: dict[int, str], words: Sequence[str], kind: str | None, size: int
) -> list[Row[Any]]:
    """Newest first by number: documents come in as they happened."""
    every = connection.execute(select(func.count()).select_from(projects_table)).scalar_one()
    own = list(known) if len(known) < every and len(known) <= _NAMED else None
    found: list[Row[Any]] = []
    seen: set[tuple[str, int, str | None, str]] = set()
    numbers = find_documents(connection, words, own, _LOOKED_AT if kind or own is None else 4 * size)
    for at in range(0, len(numbers), 2 * size):
        part = numbers[at : at + 2 * size]
        wanted = select(documents).where(documents.c.number.in_(part), documents.c.project.in_(known))
        if kind is not None:
            wanted = wanted.where(documents.c.kind == kind)
        for row in connection.execute(wanted.order_by(documents.c.number.desc())):
            # Of a file's or a dataset's many states the newest one counts, and of a cell's executions
            key = (row.kind, row.project, row.path, row.body if row.kind == "cell" else "")
            if row.kind in ("code", "data", "cell") and key in seen:
                continue
            seen.add(key)
            found.append(row)
            if len(found) >= size:
                return found
    return found


def _hit(row: Row[Any], known: dict[int, str], words: Sequence[str]) -> Hit:
    return Hit(
        kind=row.kind,
        project=known[row.project],
        at=row.at,
        by=row.by,
        title=row.title,
        excerpt=excerpt(row.body, words),
        run=row.run,
        path=row.path,
        commit=row.commit,
    )


def excerpt(body: str, words: Sequence[str]) -> str:
    """Return the line that holds most of the words, cut to a readable length around the first of them."""
    best, most = "", 0
    for line in body.splitlines()[:5_000]:
        folded = fold(line[:1_000])
        count = sum(word in folded for word in words)
        if count > most:
            best, most = line, count
            if most == len(words):
                break
    if not best:
        return ""
    folded = fold(best)
    at = min((folded.find(word) for word in words if word in folded), default=0)
    start = max(0, at - _AROUND)
    cut = best[start : start + 3 * _AROUND].strip()
    return (
        ("… " if start else "") + re.sub(r"\s+", " ", cut) + (" …" if start + 3 * _AROUND < len(best) else "")
    )
