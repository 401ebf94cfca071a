"""The runs table: runs as rows, parameters and metrics as columns, filtered, sorted, page by page, as CSV."""

from __future__ import annotations

import base64
import csv
import io
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select

from lockgate.errors import UserError
from lockgate.hub.search.conditions import condition_of
from lockgate.hub.search.database import Database
from lockgate.hub.search.filters import ALIASES, COLUMNS, Everything, parse
from lockgate.hub.search.known import Known, load_known
from lockgate.hub.search.narrowing import few_runs, tells_all
from lockgate.hub.search.ordering import Cursor, Order, count_runs, find_runs
from lockgate.hub.search.sheet import NOTHING, Sheet, in_words, unpack
from lockgate.hub.search.tables import run_sheets, runs

#: Nobody reads longer pages; a page costs by its length.
LONGEST_PAGE = 500
#: So many parameters and metrics are shown where none are asked for: those that most rows have.
MOST_COLUMNS = 200
_CURSOR = msgspec.json.Decoder(Cursor)
_encode = msgspec.json.Encoder().encode

Kind = Literal["own", "param", "metric"]

#: A run's own columns in the order they are shown.
OWN = ("run", "project", "state", "branch", "commit", "member", "created", "seconds", "cause")


_SHOWN = (
    runs.c.number, runs.c.id, runs.c.project, runs.c.state, runs.c.branch, runs.c.commit, runs.c.member,
    runs.c.created_at, runs.c.seconds, runs.c.cause, runs.c.result_commit,
)  # fmt: skip


class Column(msgspec.Struct, frozen=True):
    """One column. `name`: what `filter`, `sort` and `columns` take; `label`: the shortest name for a head."""

    name: str
    kind: Kind
    label: str


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run as a row. Times: seconds since the epoch; `seconds`: from being asked for until its end."""

    id: str
    project: str
    state: str
    where: str
    """The branch, as a person calls it."""
    commit: str
    member: str
    created_at: float
    seconds: float | None
    cause: str | None
    result_commit: str | None = None
    params: dict[str, float | str] = {}
    """By name; several values of a matrix joined by commas."""
    metrics: dict[str, float | str] = {}
    """`path:key` → value."""


class RunsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows. `next`: what to give as `before` for the rows that follow, None: there are none."""

    rows: tuple[RunRow, ...]
    columns: tuple[Column, ...]
    next: str | None
    total: int | None
    """Of all pages together; None: more than are worth counting."""


def list_runs(
    database: Database,
    projects: Sequence[str],
    filter: str = "",
    sort: str = "-created",
    columns: Sequence[str] | None = None,
    limit: int = 50,
    before: str | None = None,
) -> RunsPage:
    """Return a page of the runs of these projects that a filter lets through.

    `sort` is a column, with `-` before it for the largest first; runs that do not have it come last.
    `columns` are names to show; None: what parameters and metrics the rows have, `MOST_COLUMNS` at most.
    Raises `UserError` (`filter-invalid`, with the column and what is allowed; `page-invalid`), `OutsideError`
    (`search-unavailable`).
    """
    expression = parse(filter)
    cursor = _read_cursor(before, sort)
    size = max(1, min(limit, LONGEST_PAGE))
    with database.read() as connection:
        known = load_known(connection, projects, database.names)
        order = _order(known, sort)
        asked = None if columns is None else _resolve(known, columns)
        condition = few = None
        if not isinstance(expression, Everything):
            now = time.time()
            condition = condition_of(known, expression, now)
            few = few_runs(connection, known, expression, now)
        left = None if few is not None and tells_all(expression) else condition
        found = find_runs(connection, known, left, few, order, cursor, size + 1)
        numbers = [each.number for each in found[:size]]
        rows = _rows(connection, known, numbers, asked)
        total = None
        if cursor is None:
            total = len(found) if len(found) <= size else count_runs(connection, known, condition)
    shown = tuple(_columns(rows, asked))
    following = None
    if len(found) > size:
        last = found[size - 1]
        following = _write_cursor(Cursor(sort=sort, phase=last.phase, key=last.key, number=last.number))
    return RunsPage(rows=tuple(rows), columns=shown, next=following, total=total)


def list_columns(database: Database, projects: Sequence[str], limit: int = 1_000) -> tuple[Column, ...]:
    """Return every column that runs of these projects can have, a run's own first."""
    with database.read() as connection:
        known = load_known(connection, projects, database.names)
    found = [*((name, "own") for name in OWN), *dict.fromkeys((each.name, each.kind) for each in known.names)]
    return tuple(_labelled(found[:limit]))  # type: ignore[arg-type]


def export_csv(
    database: Database,
    projects: Sequence[str],
    filter: str = "",
    sort: str = "-created",
    columns: Sequence[str] | None = None,
    limit: int = 100_000,
) -> Iterator[str]:
    """Yield the table as CSV, a page at a time, the head first. Errors as `list_runs`.

    Columns are those asked for, else a run's own and every parameter and metric there is. A text that a
    spreadsheet would take for a formula gets an apostrophe before it.
    """
    if columns is None:
        shown = list_columns(database, projects)
        asked = [each.name for each in shown if each.kind != "own"]
    else:
        asked = list(columns)
        with database.read() as connection:
            shown = tuple(_labelled(_resolve(load_known(connection, projects, database.names), asked)))
    yield _csv_line([each.name for each in shown])
    before: str | None = None
    left = limit
    while left > 0:
        page = list_runs(database, projects, filter, sort, asked, min(left, LONGEST_PAGE), before)
        yield "".join(_csv_line([_cell(row, each) for each in shown]) for row in page.rows)
        left -= len(page.rows)
        before = page.next
        if before is None:
            return


def _order(known: Known, sort: str) -> Order:
    text = sort.strip() or "-created"
    is_descending = text.startswith("-")
    name = text[1:] if text[:1] in ("-", "+") else text
    own = ALIASES.get(name.lower(), name.lower())
    if own in COLUMNS:
        return Order(column=own, is_descending=is_descending)
    return Order(column=name, is_descending=is_descending, names=known.numbers_of(name))


def _resolve(known: Known, columns: Sequence[str]) -> list[tuple[str, Kind]]:
    resolved: list[tuple[str, Kind]] = []
    for column in columns:
        own = ALIASES.get(column.lower(), column.lower())
        if own in OWN:
            resolved.append((own, "own"))
            continue
        found = known.find(column)
        if not found:
            # A saved view may name what no run has yet
            resolved.append((column, "metric" if ":" in column else "param"))
        resolved += [(each.name, each.kind) for each in found]
    return list(dict.fromkeys(resolved))


def _rows(
    connection: Connection, known: Known, numbers: Sequence[int], asked: list[tuple[str, Kind]] | None
) -> list[RunRow]:
    if not numbers:
        return []
    question = (
        select(*_SHOWN, run_sheets.c.sheet)
        .outerjoin(run_sheets, run_sheets.c.run == runs.c.number)
        .where(runs.c.number.in_(numbers))
    )
    found = {row.number: row for row in connection.execute(question)}
    sheets = {
        number: unpack(row.sheet) if row.sheet is not None else NOTHING for number, row in found.items()
    }
    wanted = None if asked is None else set(asked)
    if wanted is None and len(columns := _in_rows(sheets.values())) > MOST_COLUMNS:
        wanted = set(columns[:MOST_COLUMNS])
    return [_row(found[number], known, sheets[number], wanted) for number in numbers if number in found]


def _in_rows(sheets: Iterable[Sheet | RunRow]) -> list[tuple[str, Kind]]:
    """Return what parameters and metrics rows have, those that most have first."""
    # Rows are mostly alike: counted are their forms, then the columns of each
    forms = Counter((*sheet.params, None, *sheet.metrics) for sheet in sheets)
    params: Counter[str] = Counter()
    metrics: Counter[str] = Counter()
    for form, count in forms.items():
        between = form.index(None)
        for counted, names in ((params, form[:between]), (metrics, form[between + 1 :])):
            for name in names:
                counted[name or ""] += count
    found: list[tuple[str, Kind]] = [(name, "param") for name, _ in params.most_common()]
    return found + [(name, "metric") for name, _ in metrics.most_common()]


def _row(
    row: Row[*tuple[Any, ...]], known: Known, sheet: Sheet, kept: set[tuple[str, Kind]] | None
) -> RunRow:
    params, metrics = sheet.params, sheet.metrics
    if kept is not None:
        params = {name: value for name, value in params.items() if (name, "param") in kept}
        metrics = {name: value for name, value in metrics.items() if (name, "metric") in kept}
    return RunRow(
        id=row.id,
        project=known.projects[row.project],
        state=row.state,
        where=row.branch,
        commit=row.commit,
        member=row.member,
        created_at=row.created_at,
        seconds=row.seconds,
        cause=row.cause,
        result_commit=row.result_commit,
        params=params,
        metrics=metrics,
    )


def _columns(rows: Sequence[RunRow], asked: list[tuple[str, Kind]] | None) -> Iterator[Column]:
    if asked is not None:
        return _labelled(asked)
    found: list[tuple[str, Kind]] = [*((name, "own") for name in OWN), *_in_rows(rows)]
    return _labelled(found)


def _labelled(found: Iterable[tuple[str, Kind]]) -> Iterator[Column]:
    """A metric's label is its key, where no other column is called so."""
    columns = list(found)
    keys = Counter(_key(name, kind) for name, kind in columns)
    for name, kind in columns:
        key = _key(name, kind)
        yield Column(name, kind, key if keys[key] == 1 else name)


def _key(name: str, kind: Kind) -> str:
    return name.rpartition(":")[2] or name if kind == "metric" else name


def _cell(row: RunRow, column: Column) -> str:
    if column.kind == "param":
        return in_words(row.params.get(column.name))
    if column.kind == "metric":
        return in_words(row.metrics.get(column.name))
    if column.name == "created":
        return datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attribute = {"run": "id", "branch": "where"}.get(column.name, column.name)
    found: float | str | None = getattr(row, attribute)
    return in_words(found)


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: str) -> str:
    """Spreadsheets run what begins so (OWASP, CSV injection); a number with a sign is one."""
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(cell)
        except ValueError:
            return "'" + cell
    return cell


def _write_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(_encode(cursor)).decode().rstrip("=")


def _read_cursor(text: str | None, sort: str) -> Cursor | None:
    if not text:
        return None
    try:
        cursor = _CURSOR.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, msgspec.DecodeError):
        cursor = None
    if cursor is None or cursor.sort != sort:
        raise UserError(
            "this page of the runs table does not exist",
            "Begin at the first page again.",
            code="page-invalid",
        )
    return cursor
