"""From a file or a picture back to the run that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from lockgate.data.digest import md5_of
from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.known import load_projects
from lockgate.hub.search.likeness import LIKE, NEAR_FORMS, Look, distance, form_distance, look_at
from lockgate.hub.search.tables import artifacts, pictures

#: So many pictures of nearly the same form are compared closely.
_CLOSELY = 2_000


class MadeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a run made. `git`: its blob, None where only the store has it; `at`: when the run ended."""

    project: str
    run: str
    stage: str
    path: str
    kind: str
    md5: str
    git: str | None
    size_bytes: int
    at: float


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a run made, and how far the one asked for is from it: 0 the same look, 0.33 the most."""

    run: str
    stage: str
    path: str
    distance: float
    is_exact: bool
    """It is that very file."""
    made: MadeFile


def nearness(distance: float) -> str:
    """Return in words how near a likeness is."""
    return "very near" if distance < 0.1 else "near" if distance < 0.2 else "somewhat near"


def by_digest(database: Database, projects: Sequence[str], md5: str, limit: int = 50) -> tuple[MadeFile, ...]:
    """Return the runs that made a file of this digest, the newest first; files within folders count."""
    with database.read() as connection:
        known = load_projects(connection, projects)
        return tuple(_made(row, known) for row in _of_digests(connection, known, [md5.lower()], limit))


def by_content(database: Database, projects: Sequence[str], content: bytes) -> tuple[MadeFile, ...]:
    """Return the runs that made exactly these bytes, the newest first."""
    return by_digest(database, projects, md5_of(content))


def by_likeness(
    database: Database, projects: Sequence[str], image_bytes: bytes, limit: int = 20
) -> tuple[Likeness, ...]:
    """Return pictures that look like this one, nearest first; the very same file before all.

    Raises `UserError` (`picture-invalid`) for what is no picture that can be opened.
    """
    look = look_at(image_bytes)
    if look is None:
        raise UserError(
            "this cannot be looked at as a picture",
            "It is to be a PNG, JPEG, GIF or WEBP of at most 40 megapixels and 30 MB, and whole.",
            code="picture-invalid",
        )
    same = md5_of(image_bytes)
    with database.read() as connection:
        known = load_projects(connection, projects)
        near = _alike(connection, look) | {same: 0.0}
        rows = _of_digests(connection, known, list(near), 10 * limit)
    found = [
        Likeness(
            run=row.run,
            stage=row.stage,
            path=row.path,
            distance=near[row.md5],
            is_exact=row.md5 == same,
            made=_made(row, known),
        )
        for row in rows
    ]
    found.sort(key=lambda each: (not each.is_exact, each.distance, -each.made.at))
    return tuple(found[:limit])


def _alike(connection: Connection, look: Look) -> dict[str, float]:
    forms = connection.execute(select(pictures.c.md5, pictures.c.form)).all()
    ranked = [(form_distance(row.form, look.form), row.md5) for row in forms]
    near = [md5 for bits, md5 in sorted(ranked) if bits <= NEAR_FORMS][:_CLOSELY]
    found: dict[str, float] = {}
    for at in range(0, len(near), 500):
        question = select(pictures).where(pictures.c.md5.in_(near[at : at + 500]))
        for row in connection.execute(question):
            away = distance(look, Look(row.form, bytes(row.look)))
            if away <= LIKE:
                found[row.md5] = away
    return found


def _of_digests(
    connection: Connection, known: dict[int, str], digests: Sequence[str], limit: int
) -> list[Row[Any]]:
    question = (
        select(artifacts)
        .where(artifacts.c.md5.in_(digests[:5_000]), artifacts.c.project.in_(known))
        .order_by(artifacts.c.at.desc(), artifacts.c.number.desc())
    )
    return list(connection.execute(question.limit(limit)))


def _made(row: Row[Any], known: dict[int, str]) -> MadeFile:
    return MadeFile(
        project=known[row.project],
        run=row.run,
        stage=row.stage,
        path=row.path,
        kind=row.kind,
        md5=row.md5,
        git=row.git,
        size_bytes=row.size_bytes,
        at=row.at,
    )
