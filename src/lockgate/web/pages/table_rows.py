"""Two tables that runs made, compared for a page."""

from __future__ import annotations

import msgspec

from lockgate.errors import LockgateError
from lockgate.hub.showing.artifact_content import File, read_file
from lockgate.hub.showing.parquet import read_parquet
from lockgate.hub.showing.parquet_reader import Question
from lockgate.runs.table_difference import (
    MOST_BYTES,
    MOST_ROWS,
    Table,
    TableDifference,
    make_table,
    read_table,
    table_difference,
)
from lockgate.web.service import Service


class TableRow(msgspec.Struct, frozen=True):
    """What differs in one table between the first run and another."""

    path: str
    other: int
    found: TableDifference | None
    problem: str = ""
    """Why nothing could be found."""


def table_row(service: Service, project: str, one: File | None, other: File | None, at: int) -> TableRow:
    """Compare two tables; `at`: which run the other is of. What stands in the way is told in words."""
    path = one.path if one is not None else other.path if other is not None else ""
    try:
        tables = [_table(service, project, file) for file in (one, other)]
        return TableRow(path, at, table_difference(*tables))
    except LockgateError as error:
        return TableRow(path, at, None, error.message)
    except ValueError as error:
        return TableRow(path, at, None, str(error))


def _table(service: Service, project: str, file: File | None) -> Table:
    """Raises ValueError in words for what cannot be compared."""
    if file is None:
        return read_table(b"")
    if not file.path.lower().endswith(".parquet"):
        return read_table(read_file(service.hub, project, file, MOST_BYTES + 1))
    told = read_parquet(service.hub, project, file, Question(0, MOST_ROWS + 1))
    if told.problem:
        raise ValueError(told.problem)
    return make_table(told.header, told.rows)
