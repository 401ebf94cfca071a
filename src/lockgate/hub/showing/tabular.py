"""A table of text, CSV or TSV, a page of it, sorted by a column. Pure; bounded in rows and in columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

#: So much of a file is read for a page.
READ_BYTES = 20_000_000
_COLUMNS_AT_MOST = 200
_CELL_AT_MOST = 500


class Table(msgspec.Struct, frozen=True):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class TablePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a table; `numeric` says of each column whether it holds numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    total: int
    start: int
    sort: int | None
    is_descending: bool


def parse(content: bytes, path: str) -> Table | None:
    """Return the table of a file; None where it is none that is read here."""
    if not path.lower().endswith((".csv", ".tsv")):
        return None
    text = content.decode("utf-8-sig", "replace")
    delimiter = "\t" if path.lower().endswith(".tsv") else _delimiter(text)
    try:
        lines = [
            tuple(cell[:_CELL_AT_MOST] for cell in line[:_COLUMNS_AT_MOST])
            for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            if line
        ]
    except csv.Error:
        return None
    if not lines:
        return None
    width = max(len(lines[0]), 1)
    rows = tuple((*line[:width], *("" for _ in range(width - len(line)))) for line in lines[1:])
    return Table(lines[0], rows)


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def parse_sort(sort: str) -> tuple[int | None, bool]:
    """Return which column `sort` names and whether downwards; None: none that could be."""
    column = sort.removeprefix("-")
    is_number = column.isascii() and column.isdecimal() and len(column) < 4
    return int(column) if is_number else None, sort.startswith("-")


def page(table: Table, start: int = 0, count: int = 50, sort: str = "") -> TablePage:
    """Return `count` rows from `start` on. `sort`: a column's number, from 0; `-` before it: downwards."""
    at, is_descending = parse_sort(sort)
    at = at if at is not None and at < len(table.header) else None
    numeric = tuple(_is_numeric(table.rows[:200], number) for number in range(len(table.header)))
    rows: Sequence[tuple[str, ...]] = table.rows
    if at is not None:
        rows = sorted(rows, key=lambda row: _key(row[at]), reverse=is_descending)
    start = max(0, min(start, max(0, len(rows) - 1)))
    return TablePage(
        header=table.header,
        rows=tuple(rows[start : start + count]),
        numeric=numeric,
        total=len(rows),
        start=start,
        sort=at,
        is_descending=is_descending,
    )


def _is_numeric(rows: Sequence[tuple[str, ...]], at: int) -> bool:
    found = [row[at] for row in rows if row[at]]
    return bool(found) and all(_number(cell) is not None for cell in found)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if value == value else None


def _key(cell: str) -> tuple[int, float, str]:
    value = _number(cell)
    return (1, 0.0, cell.casefold()) if value is None else (0, value, "")
