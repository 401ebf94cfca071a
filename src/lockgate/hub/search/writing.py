"""Putting rows into the search index and taking them out. Each function is called within one transaction."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, text, update

from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.search.document import Document, words_in
from lockgate.hub.search.likeness import Look
from lockgate.hub.search.reading import ReadEntry, ReadRun, Value, branch_of, clean, seconds_of
from lockgate.hub.search.sheet import pack, sheet_of
from lockgate.hub.search.tables import (
    activities,
    artifacts,
    cells,
    documents,
    journals,
    names,
    pictures,
    project_names,
    projects,
    run_sheets,
    run_values,
    runs,
)
from lockgate.hub.search.words import drop_words, put_words

T = TypeVar("T")

#: So many values are named in one `in (…)`.
_CHUNK = 500
#: The columns of `run_values` with PostgreSQL's words for their types.
_VALUES = {
    "run": "bigint", "name": "bigint", "place": "integer", "project": "bigint", "value": "double precision",
    "word": "text",
}  # fmt: skip
_ADD = f"insert into run_values ({', '.join(_VALUES)})"
_ADD_ROWS = f"{_ADD} values ({', '.join('?' * len(_VALUES))})"
_LISTS = ", ".join(f"cast(:{name} as {kind}[])" for name, kind in _VALUES.items())
_ADD_COLUMNS = text(f"{_ADD} select * from unnest({_LISTS})")
_encode = msgspec.json.Encoder().encode


class Mark(msgspec.Struct, frozen=True):
    """How far a project has been taken in."""

    number: int
    tip: str | None
    snapshot: str | None = None
    """The commit whose files were looked at last."""


def mark_of(connection: Connection, project: str) -> Mark:
    """Return a project's mark, made if it is new, and locked until the transaction ends."""
    wanted = (
        select(projects.c.number, projects.c.tip, projects.c.snapshot)
        .where(projects.c.name == project)
        .with_for_update()
    )
    found = connection.execute(wanted).one_or_none()
    if found is None:
        connection.execute(or_nothing(connection, projects).values(name=project))
        found = connection.execute(wanted).one()
    return Mark(found.number, found.tip, found.snapshot)


def put_entries(connection: Connection, project: int, entries: Sequence[ReadEntry]) -> None:
    """Add entries of the chain with all they tell."""
    if not entries:
        return
    rows = [
        {
            "project": project,
            "entry": entry.id,
            "kind": clean(entry.activity.kind),
            "at": entry.at,
            "by": clean(entry.activity.by),
            "title": clean(entry.activity.title),
            "ref": clean(entry.activity.ref) if entry.activity.ref else None,
            "commit": clean(entry.activity.commit) if entry.activity.commit else None,
            "run": clean(entry.activity.run) if entry.activity.run else None,
            "detail": _encode(entry.detail),
        }
        for entry in entries
    ]
    connection.execute(or_nothing(connection, activities), rows)
    # Of two ends of one run the later one counts
    ended = {entry.run.row.request.id: entry for entry in entries if entry.run is not None}
    put_runs(connection, project, [entry.run for entry in ended.values() if entry.run is not None])
    made = [
        {
            "project": project,
            "run": ref.run,
            "stage": clean(ref.stage),
            "path": clean(ref.path),
            "kind": ref.kind,
            "md5": ref.md5,
            "git": ref.git,
            "size_bytes": ref.size_bytes,
            "at": entry.at,
        }
        for entry in ended.values()
        if entry.run is not None
        for ref in entry.run.artifacts
    ]
    if made:
        _forget_artifacts(connection, project, list(ended))
        connection.execute(insert(artifacts), made)


def put_runs(connection: Connection, project: int, found: Sequence[ReadRun]) -> None:
    """Add runs, or bring those that are there up to date, values and all."""
    if not found:
        return
    by_id = {run.row.request.id: run for run in found}
    known = _numbers(connection, project, list(by_id))
    _drop_values(connection, list(known.values()))
    for run, number in known.items():
        values = _run_row(project, by_id[run])
        connection.execute(update(runs).where(runs.c.number == number).values(**values))
    fresh = [_run_row(project, run) for key, run in by_id.items() if key not in known]
    if fresh:
        connection.execute(or_nothing(connection, runs), fresh)
        known = _numbers(connection, project, list(by_id))
    wanted = {(value.kind, value.name) for run in found for value in run.values}
    named = _name_numbers(connection, project, wanted)
    rows = [
        (known[key], named[value.kind, value.name], place, project, value.value, value.word)
        for key, run in by_id.items()
        for value, place in _placed(run.values)
    ]
    if rows:
        _add_values(connection, rows)
    sheets = [
        {"run": known[key], "sheet": pack(sheet_of(run.values))} for key, run in by_id.items() if run.values
    ]
    if sheets:
        connection.execute(insert(run_sheets), sheets)


def set_alive(connection: Connection, project: int, row: RunRow) -> None:
    """Bring a run up to date that the chain does not tell the end of yet."""
    values = _run_row(project, ReadRun(row=row, is_recorded=False))
    connection.execute(
        update(runs)
        .where(runs.c.project == project, runs.c.id == row.request.id, ~runs.c.is_recorded)
        .values(**values)
    )


def drop_runs(connection: Connection, project: int, ids: Sequence[str]) -> None:
    """Forget runs that turned out to be none."""
    numbers = list(_numbers(connection, project, ids).values())
    _drop_values(connection, numbers)
    for part in parts_of(numbers):
        connection.execute(delete(runs).where(runs.c.number.in_(part)))


def drop_project(connection: Connection, project: int) -> None:
    """Forget all of a project, its mark too, and the names and looks that no other project has."""
    own = select(runs.c.number).where(runs.c.project == project)
    connection.execute(delete(run_sheets).where(run_sheets.c.run.in_(own)))
    _drop_documents(connection, project)
    for table in (run_values, project_names, runs, activities, cells, journals, artifacts):
        connection.execute(delete(table).where(table.c.project == project))
    connection.execute(delete(projects).where(projects.c.number == project))
    connection.execute(delete(names).where(names.c.number.not_in(select(project_names.c.name))))
    connection.execute(delete(pictures).where(pictures.c.md5.not_in(select(artifacts.c.md5))))


def set_mark(connection: Connection, mark: Mark) -> None:
    """Keep how far a project has been taken in."""
    values = {"tip": mark.tip, "snapshot": mark.snapshot}
    connection.execute(update(projects).where(projects.c.number == mark.number).values(**values))


def put_documents(connection: Connection, project: int, found: Sequence[Document]) -> None:
    """Add documents; one that is there stays as it is."""
    fresh = {(each.kind, each.key): each for each in found}
    for part in parts_of([each.key for each in fresh.values()]):
        known = select(documents.c.kind, documents.c.key).where(
            documents.c.project == project, documents.c.key.in_(part)
        )
        for row in connection.execute(known).all():
            fresh.pop((row.kind, row.key), None)
    if not fresh:
        return
    rows = [msgspec.structs.asdict(each) | {"project": project} for each in fresh.values()]
    added = insert(documents).returning(documents.c.kind, documents.c.key, documents.c.number)
    numbers = {(row.kind, row.key): row.number for row in connection.execute(added, rows)}
    put_words(connection, [(numbers[key], project, words_in(each)) for key, each in fresh.items()])


def drop_documents(connection: Connection, project: int, kind: str, keys: Sequence[str]) -> None:
    """Forget documents of one kind by their keys."""
    for part in parts_of(keys):
        chosen = (documents.c.project == project, documents.c.kind == kind, documents.c.key.in_(part))
        rows = connection.execute(select(documents).where(*chosen)).all()
        drop_words(connection, [(row.number, project, words_in(_document(row))) for row in rows])
        connection.execute(delete(documents).where(*chosen))


def known_looks(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Return which of these pictures were looked at already."""
    found: set[str] = set()
    for part in parts_of(digests):
        found.update(connection.execute(select(pictures.c.md5).where(pictures.c.md5.in_(part))).scalars())
    return found


def put_looks(connection: Connection, looks: Mapping[str, Look]) -> None:
    """Keep how pictures look, by their digests."""
    if looks:
        rows = [{"md5": md5, "form": look.form, "look": look.grid} for md5, look in sorted(looks.items())]
        connection.execute(or_nothing(connection, pictures), rows)


def _add_values(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Values are most of what is written: they go to the database by columns, or without a look at each."""
    if connection.dialect.name == "postgresql":
        columns = (list(column) for column in zip(*rows, strict=True))
        connection.execute(_ADD_COLUMNS, dict(zip(_VALUES, columns, strict=True)))
    else:
        connection.exec_driver_sql(_ADD_ROWS, list(rows))


def _drop_values(connection: Connection, numbers: Sequence[int]) -> None:
    for part in parts_of(numbers):
        for table in (run_values, run_sheets):
            connection.execute(delete(table).where(table.c.run.in_(part)))


def _drop_documents(connection: Connection, project: int) -> None:
    own = documents.c.project == project
    if connection.dialect.name == "sqlite":
        # Its words can only be taken out by naming them
        for part in connection.execute(select(documents).where(own)).partitions(_CHUNK):
            drop_words(connection, [(row.number, project, words_in(_document(row))) for row in part])
    else:
        chosen = "select number from documents where project = :project"
        forgotten = text(f"delete from document_words where number in ({chosen})")
        connection.execute(forgotten, {"project": project})
    connection.execute(delete(documents).where(own))


def _document(row: Row[Any]) -> Document:
    return Document(
        kind=row.kind, key=row.key, at=row.at, by=row.by, title=row.title, body=row.body, run=row.run,
        path=row.path, commit=row.commit,
    )  # fmt: skip


def _run_row(project: int, run: ReadRun) -> dict[str, object]:
    row, request = run.row, run.row.request
    return {
        "project": project,
        "id": request.id,
        "state": row.state,
        "ref": clean(request.ref),
        "branch": branch_of(row),
        "commit": request.commit,
        "member": clean(request.member),
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "seconds": seconds_of(row),
        "cause": clean(row.cause) if row.cause else None,
        "result_commit": row.result_commit,
        "has_moved_branch": row.has_moved_branch,
        "is_recorded": run.is_recorded,
    }


def _placed(values: Iterable[Value]) -> Iterable[tuple[Value, int]]:
    places: Counter[tuple[str, str]] = Counter()
    for value in values:
        yield value, places[value.kind, value.name]
        places[value.kind, value.name] += 1


def _numbers(connection: Connection, project: int, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts_of(ids):
        wanted = select(runs.c.id, runs.c.number).where(runs.c.project == project, runs.c.id.in_(part))
        found.update((row.id, row.number) for row in connection.execute(wanted))
    return found


def _name_numbers(
    connection: Connection, project: int, wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the numbers of names, which are the project's from now on."""
    found = _known_names(connection, wanted)
    lacking = [{"kind": kind, "name": name} for kind, name in sorted(wanted - found.keys())]
    if lacking:
        connection.execute(or_nothing(connection, names), lacking)
        found = _known_names(connection, wanted)
    own = set(
        connection.execute(select(project_names.c.name).where(project_names.c.project == project)).scalars()
    )
    fresh = [{"project": project, "name": number} for number in sorted({*found.values()} - own)]
    if fresh:
        connection.execute(or_nothing(connection, project_names), fresh)
        changed = update(projects).where(projects.c.number == project)
        connection.execute(changed.values(names_changed=time.time_ns()))
    return found


def _known_names(connection: Connection, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for part in parts_of(sorted({name for _, name in wanted})):
        for row in connection.execute(select(names).where(names.c.name.in_(part))):
            if (row.kind, row.name) in wanted:
                found[row.kind, row.name] = row.number
    return found


def _forget_artifacts(connection: Connection, project: int, ids: Sequence[str]) -> None:
    for part in parts_of(ids):
        connection.execute(delete(artifacts).where(artifacts.c.project == project, artifacts.c.run.in_(part)))


def parts_of(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """Yield values in parts that one `in (…)` may name."""
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))


def or_nothing(connection: Connection, table):  # type: ignore[no-untyped-def]
    """Return an insert that leaves rows alone which are there."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql  # noqa: PLC0415

        return insert_postgresql(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite  # noqa: PLC0415

    return insert_sqlite(table).on_conflict_do_nothing()
