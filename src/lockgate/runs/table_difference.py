"""Two small tables side by side: which columns, rows and cells differ. Values only."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

import msgspec

#: Larger tables are not compared cell by cell.
MOST_BYTES = 4_000_000
MOST_ROWS = 50_000
#: So many differing rows are told; the counts tell of all.
MOST_TOLD = 200


class Cell(msgspec.Struct, frozen=True):
    """One cell that differs. `difference`: right − left, of two numbers."""

    column: str
    left: str
    right: str
    difference: float | None = None


class RowChange(msgspec.Struct, frozen=True):
    """One row that differs; `key` is its value in the key column, else its number, from 1."""

    key: str
    cells: tuple[Cell, ...]

    def cell(self, column: str) -> Cell | None:
        """The cell in this column, where it differs."""
        return next((cell for cell in self.cells if cell.column == column), None)


class TableDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two tables, `left` and `right`; lists are cut, counts are not."""

    key: str | None
    """The column by which rows were matched; None: by their number."""
    left_columns: tuple[str, ...]
    right_columns: tuple[str, ...]
    left_rows: int
    right_rows: int
    only_left_columns: tuple[str, ...] = ()
    only_right_columns: tuple[str, ...] = ()
    only_left: tuple[tuple[str, ...], ...] = ()
    only_right: tuple[tuple[str, ...], ...] = ()
    only_left_count: int = 0
    only_right_count: int = 0
    changed: tuple[RowChange, ...] = ()
    changed_count: int = 0

    @property
    def changed_columns(self) -> tuple[str, ...]:
        """The columns in which a row that is told differs, in the left table's order."""
        changed = {cell.column for row in self.changed for cell in row.cells}
        return tuple(column for column in self.left_columns if column in changed)

    @property
    def is_same(self) -> bool:
        """Return whether nothing differs but the order of columns and of matched rows."""
        columns = self.only_left_columns or self.only_right_columns
        return not (columns or self.only_left_count or self.only_right_count or self.changed_count)


class Table(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_difference(one: Table, other: Table) -> TableDifference:
    """Compare two tables.

    Rows are matched by the first column that both have and in which no value occurs twice, else by number.
    """
    shared = [column for column in one.columns if column in other.columns]
    key = next((column for column in shared if _is_key(one, column) and _is_key(other, column)), None)
    ours, theirs = _by_key(one, key), _by_key(other, key)
    changes = list(_changes(one, other, shared, ours, theirs))
    gone = [row for name, row in ours.items() if name not in theirs]
    new = [row for name, row in theirs.items() if name not in ours]
    return TableDifference(
        key=key,
        left_columns=one.columns,
        right_columns=other.columns,
        left_rows=len(one.rows),
        right_rows=len(other.rows),
        only_left_columns=tuple(column for column in one.columns if column not in other.columns),
        only_right_columns=tuple(column for column in other.columns if column not in one.columns),
        only_left=tuple(gone[:MOST_TOLD]),
        only_right=tuple(new[:MOST_TOLD]),
        only_left_count=len(gone),
        only_right_count=len(new),
        changed=tuple(changes[:MOST_TOLD]),
        changed_count=len(changes),
    )


def _changes(
    one: Table,
    other: Table,
    shared: Sequence[str],
    ours: dict[str, tuple[str, ...]],
    theirs: dict[str, tuple[str, ...]],
) -> Iterator[RowChange]:
    places = [(column, one.columns.index(column), other.columns.index(column)) for column in shared]
    for name, row in ours.items():
        match = theirs.get(name)
        if match is None:
            continue
        cells = tuple(
            Cell(column, row[here], match[there], _minus(row[here], match[there]))
            for column, here, there in places
            if row[here] != match[there]
        )
        if cells:
            yield RowChange(name, cells)


def _minus(left: str, right: str) -> float | None:
    try:
        difference = float(right) - float(left)
    except ValueError:
        return None
    # Neither infinite nor no number
    return difference if abs(difference) < 1e308 else None


def _is_key(table: Table, column: str) -> bool:
    at = table.columns.index(column)
    values = [row[at] for row in table.rows]
    return len(set(values)) == len(values) and all(values)


def _by_key(table: Table, key: str | None) -> dict[str, tuple[str, ...]]:
    if key is None:
        return {str(number): row for number, row in enumerate(table.rows, start=1)}
    at = table.columns.index(key)
    return {row[at]: row for row in table.rows}


def read_table(content: bytes) -> Table:
    """Return a table of CSV, TSV or JSON lines, which is found out from the content.

    Raises ValueError in words for what is no such table, or is too large.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if "\0" in text:
        raise ValueError("it is no text")
    if text.lstrip()[:1] == "{":
        return _read_lines(text)
    head = text.partition("\n")[0]
    signs = {sign: head.count(sign) for sign in ("\t", ",", ";")}
    best = max(signs, key=lambda sign: signs[sign])
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=best if signs[best] else ","))
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from None
    rows = [row for row in rows if row]
    if not rows:
        return Table((), ())
    return make_table(rows[0], rows[1:])


def _read_lines(text: str) -> Table:
    found: list[dict[str, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(f"line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        found.append(row)
    columns = list(dict.fromkeys(name for row in found for name in row))
    return make_table(columns, [[_word(row.get(name)) for name in columns] for row in found])


def _word(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _unique(columns: Sequence[str]) -> list[str]:
    """Two columns of one name are told apart by their place."""
    named: list[str] = []
    for number, column in enumerate(columns, start=1):
        name = column.strip()
        while not name or name in named:
            name = f"{name or 'column'} {number}"
        named.append(name)
    return named


def make_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table whose columns have each a name of their own. Raises ValueError for one too large."""
    if len(rows) > MOST_ROWS:
        raise ValueError(f"it has more than {MOST_ROWS:,} rows")
    width = len(columns)
    widest = max((len(row) for row in rows), default=width)
    named = _unique([*columns, *([""] * (widest - width))])
    full = tuple(tuple(row) + ("",) * (widest - len(row)) for row in rows)
    return Table(tuple(named), full)
