"""Views of the runs table that members saved under a name. All who read the project see them."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select

from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.filters import parse
from lockgate.hub.search.tables import views

LONGEST_NAME = 80
MOST = 200


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A named way to look at a project's runs; `columns` None: whatever the runs have."""

    name: str
    project: str
    owner: str
    filter: str = ""
    sort: str = "-created"
    columns: tuple[str, ...] | None = None


def save_view(database: Database, view: View) -> bool:
    """Save a view; return whether it replaces an earlier one of its owner of that name.

    Raises `UserError` (`view-invalid`, `filter-invalid`).
    """
    name = view.name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UserError(
            "a view needs a name", f"Give it 1 to {LONGEST_NAME} printable characters.", code="view-invalid"
        )
    parse(view.filter)
    own = _of(view.project, view.owner)
    with database.write() as connection:
        replaced = connection.execute(delete(views).where(*own, views.c.name == name)).rowcount > 0
        if len(connection.execute(select(views.c.name).where(*own)).all()) >= MOST:
            raise UserError(
                f"you have {MOST} views of this project already", "Delete one first.", code="view-invalid"
            )
        row = msgspec.structs.asdict(view) | {
            "name": name,
            "columns": msgspec.json.encode(view.columns).decode(),
        }
        connection.execute(insert(views).values(**row))
    return replaced


def list_views(database: Database, project: str) -> tuple[View, ...]:
    """Return a project's views, by name."""
    question = select(views).where(views.c.project == project).order_by(views.c.name, views.c.owner)
    with database.read() as connection:
        rows = connection.execute(question).all()
    return tuple(
        View(
            name=row.name,
            project=row.project,
            owner=row.owner,
            filter=row.filter,
            sort=row.sort,
            columns=msgspec.json.decode(row.columns, type=tuple[str, ...] | None),
        )
        for row in rows
    )


def delete_view(database: Database, project: str, owner: str, name: str) -> bool:
    """Delete a member's view; return whether there was one."""
    with database.write() as connection:
        found = connection.execute(delete(views).where(*_of(project, owner), views.c.name == name))
        return found.rowcount > 0


def _of(project: str, owner: str):  # type: ignore[no-untyped-def]
    return (views.c.project == project, views.c.owner == owner)
