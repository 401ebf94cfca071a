"""Putting cells of journals into the search index. Each function is called within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from lockgate.activity.execution import KIND
from lockgate.activity.journal import REFS, SYNCED, device_of
from lockgate.activity.sitting import PAUSE_S, is_one_sitting
from lockgate.hub.push import describe
from lockgate.hub.search.detail import CellLine, Detail, Sitting
from lockgate.hub.search.document import KEPT_CHARS, Document
from lockgate.hub.search.journal_reading import ReadCell
from lockgate.hub.search.tables import activities, cells, documents, journals, projects
from lockgate.hub.search.writing import drop_documents, or_nothing, parts_of, put_documents

#: So much of a sitting is shown beneath its line.
_NEWEST, _PICTURES = 3, 6
#: What a cell is found by: all of a usual one, the beginning of a huge one.
_CODE_CHARS, _OUTPUT_CHARS = 16_000, 4_000
#: Kinds of documents.
_SITTING, _CELL = "activity", "cell"

_encode = msgspec.json.Encoder().encode
_details = msgspec.json.Decoder(Detail)


class Journal(msgspec.Struct, frozen=True):
    """A journal that the index knows, and the newest entry taken in."""

    number: int
    project: int
    ref: str
    tip: str | None


class Owner(msgspec.Struct, frozen=True):
    """Whose journal it is: the member's name, if the hub knows them, and the device."""

    by: str | None
    device: str


class _Open(msgspec.Struct):
    """A sitting that may go on."""

    number: int
    kind: str
    entry: str
    at: float
    commit: str | None
    sitting: Sitting
    ref: str | None


def journals_of(connection: Connection, project: str) -> dict[str, Journal]:
    """Return ref → journal of a project that the index knows."""
    question = select(journals).join(projects, projects.c.number == journals.c.project)
    rows = connection.execute(question.where(projects.c.name == project))
    return {row.ref: Journal(row.number, row.project, row.ref, row.tip) for row in rows}


def journal_of(connection: Connection, project: int, ref: str) -> Journal:
    """Return a journal's mark, made if it is new, and locked until the transaction ends."""
    wanted = select(journals).where(journals.c.project == project, journals.c.ref == ref).with_for_update()
    found = connection.execute(wanted).one_or_none()
    if found is None:
        connection.execute(or_nothing(connection, journals).values(project=project, ref=ref))
        found = connection.execute(wanted).one()
    return Journal(found.number, found.project, found.ref, found.tip)


def set_tip(connection: Connection, journal: Journal, tip: str) -> None:
    """Keep how far a journal has been taken in."""
    connection.execute(update(journals).where(journals.c.number == journal.number).values(tip=tip))


def drop_journal(connection: Connection, journal: Journal) -> None:
    """Forget a journal, its cells and sittings.

    A copy of its clone may hold some of them too: its owner's other journals are looked through anew.
    """
    own = select(cells.c.sitting, cells.c.entry).where(cells.c.journal == journal.number)
    rows = connection.execute(own).all()
    sittings = sorted({row.sitting for row in rows})
    firsts: list[str] = []
    for part in parts_of(sittings):
        chosen = activities.c.number.in_(part)
        firsts += connection.execute(select(activities.c.entry).where(chosen)).scalars()
        connection.execute(delete(activities).where(chosen))
    drop_documents(connection, journal.project, _CELL, [row.entry for row in rows])
    drop_documents(connection, journal.project, _SITTING, firsts)
    connection.execute(delete(cells).where(cells.c.journal == journal.number))
    connection.execute(delete(journals).where(journals.c.number == journal.number))
    owner, _ = device_of(journal.ref)
    others = (
        journals.c.project == journal.project,
        journals.c.ref.startswith(f"{REFS}{owner}/", autoescape=True),
    )
    connection.execute(update(journals).where(*others).values(tip=None))


def put_cells(connection: Connection, journal: Journal, owner: Owner, found: Sequence[ReadCell]) -> None:
    """Add cells in their order, each to the sitting that it belongs to; one that is there stays as it is."""
    known: set[str] = set()
    for part in parts_of([cell.line.entry for cell in found]):
        question = select(cells.c.entry).where(cells.c.project == journal.project, cells.c.entry.in_(part))
        known.update(connection.execute(question).scalars())
    fresh = [cell for cell in found if cell.line.entry not in known]
    if not fresh:
        return
    open_ones = _open_sittings(connection, journal, min(cell.line.at for cell in fresh) - PAUSE_S)
    changed: dict[int, _Open] = {}
    rows: list[dict[str, object]] = []
    for cell in fresh:
        key = (cell.kind, cell.notebook, cell.ref)
        sitting = open_ones.get(key)
        if sitting is None or not is_one_sitting(sitting.at, cell.line.at):
            sitting = open_ones[key] = _begun(connection, journal, owner, cell)
        _add(sitting, cell.line)
        changed[sitting.number] = sitting
        rows.append(
            {
                "project": journal.project,
                "journal": journal.number,
                "sitting": sitting.number,
                "entry": cell.line.entry,
                "at": cell.line.at,
                "line": _encode(cell.line),
            }
        )
    connection.execute(insert(cells), rows)
    for each in changed.values():
        _keep(connection, journal.project, each)
    put_documents(
        connection, journal.project, [_document(cell, owner) for cell in fresh if cell.kind == KIND]
    )


def _open_sittings(
    connection: Connection, journal: Journal, since: float
) -> dict[tuple[str, str | None, str | None], _Open]:
    """Return the journal's sittings that a cell from then on may belong to."""
    recent = select(cells.c.sitting).where(cells.c.journal == journal.number, cells.c.at >= since)
    question = select(activities).where(activities.c.number.in_(recent)).order_by(activities.c.number)
    found = (_read(row) for row in connection.execute(question))
    return {(each.kind, each.sitting.notebook, each.ref): each for each in found if each is not None}


def _read(row: Row[Any]) -> _Open | None:
    sitting = _details.decode(row.detail).sitting
    return (
        _Open(row.number, row.kind, row.entry, row.at, row.commit, sitting, row.ref)
        if sitting is not None
        else None
    )


def _begun(connection: Connection, journal: Journal, owner: Owner, cell: ReadCell) -> _Open:
    line = cell.line
    sitting = Sitting(count=0, began_at=line.at, device=owner.device, notebook=cell.notebook)
    title = title_of(cell.kind, sitting, cell.ref)
    row = {
        "project": journal.project,
        "entry": line.entry,
        "kind": cell.kind,
        "at": line.at,
        "by": owner.by or cell.by,
        "title": title,
        "ref": cell.ref,
        "commit": line.commit,
        "run": None,
        "detail": _encode(Detail(sitting=sitting)),
    }
    number = connection.execute(insert(activities).values(**row).returning(activities.c.number)).scalar_one()
    document = Document(
        kind=_SITTING, key=line.entry, at=line.at, by=owner.by or cell.by, title=title,
        path=cell.ref, commit=line.entry,
    )  # fmt: skip
    put_documents(connection, journal.project, [document])
    return _Open(number, cell.kind, line.entry, line.at, line.commit, sitting, cell.ref)


def _add(found: _Open, line: CellLine) -> None:
    before = found.sitting
    shown = tuple((line.entry, path) for path in reversed(line.pictures))
    found.at = max(found.at, line.at)
    found.commit = line.commit or found.commit
    found.sitting = msgspec.structs.replace(
        before,
        count=before.count + 1,
        began_at=min(before.began_at, line.at),
        seconds=before.seconds + (line.seconds or 0.0),
        failed=before.failed + (line.status == "error"),
        picture_count=before.picture_count + len(shown),
        pictures=(*shown, *before.pictures)[:_PICTURES],
        newest=(line, *before.newest)[:_NEWEST],
    )


def _keep(connection: Connection, project: int, found: _Open) -> None:
    values = {
        "at": found.at,
        "commit": found.commit,
        "title": title_of(found.kind, found.sitting, found.ref),
        "detail": _encode(Detail(sitting=found.sitting)),
    }
    connection.execute(update(activities).where(activities.c.number == found.number).values(**values))
    # Its words stay the same, as the day does
    document = (documents.c.project == project, documents.c.kind == _SITTING, documents.c.key == found.entry)
    connection.execute(update(documents).where(*document).values(at=found.at))


def title_of(kind: str, sitting: Sitting, ref: str | None) -> str:
    """Return what a sitting is called; its words stay the same, but for how much there was."""
    if kind == SYNCED:
        times = f" {sitting.count} times" if sitting.count > 1 else ""
        return f"Synced {describe(ref) if ref else 'the project'}{times}"
    where = sitting.notebook or "a console"
    count = f"{sitting.count} cell{'' if sitting.count == 1 else 's'}" if sitting.count else "Cells"
    return f"{count} of {where}"


def _document(cell: ReadCell, owner: Owner) -> Document:
    line = cell.line
    body = "\n".join(
        part for part in (cell.code[:_CODE_CHARS], line.error or "", cell.output[-_OUTPUT_CHARS:]) if part
    )
    return Document(
        kind=_CELL,
        key=line.entry,
        at=line.at,
        by=owner.by or cell.by,
        title=line.title,
        body=body[:KEPT_CHARS],
        path=cell.notebook,
        commit=line.entry,
    )
