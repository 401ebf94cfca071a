"""Two tables: schema, then rows by key, else in their order, else in any."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import agree, few
from lockgate.verify.report import Compared

MOST_ROWS = 5_000_000
ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")

Row = tuple[object, ...]


class Table(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: list[Row]


class NoTableError(Exception):
    """What is no table, in words."""


def read_table(content: bytes, path: str) -> Table:
    """Read CSV, TSV, JSON lines or Parquet, by the path's ending. Raises `NoTableError`."""
    ending = path.lower().rpartition(".")[2]
    if ending == "parquet":
        return _parquet(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoTableError("it is not UTF-8") from None
    if ending in ("jsonl", "ndjson"):
        return _json_lines(text)
    return _separated(text, "\t" if ending == "tsv" else separator_of(text))


def compare_tables(left: Table, right: Table, allowed: Allowance) -> Compared:
    """Return how two tables compare; words name columns and rows."""
    left, right = _without(left, allowed.ignore), _without(right, allowed.ignore)
    gone = [f"column {name} is missing" for name in left.columns if name not in right.columns]
    new = [f"column {name} is new" for name in right.columns if name not in left.columns]
    if gone or new:
        return Compared("differs", few(gone + new))
    notes = []
    if left.columns != right.columns:
        right = _ordered(right, left.columns)
        notes.append("the order of columns")
    places = [left.columns.index(name) for name in allowed.key if name in left.columns]
    keyed = _by_key(left, right, places) if places else None
    if keyed is not None:
        if keyed.words:
            return Compared("differs", keyed.words)
        if [row[1:] for row in keyed.pairs] and keyed.is_moved:
            notes.append("the order of rows")
        found = _cells(left.columns, keyed.pairs, allowed)
    elif len(left.rows) != len(right.rows):
        return Compared("differs", f"{len(left.rows):,} rows, and {len(right.rows):,}")
    else:
        pairs = [
            (str(n), one, other) for n, (one, other) in enumerate(zip(left.rows, right.rows, strict=True), 1)
        ]
        found = _cells(left.columns, pairs, allowed)
        if found.verdict == "differs" and _as_multiset(left.rows) == _as_multiset(right.rows):
            notes.append("the order of rows")
            found = Compared("within-tolerance")
    if found.verdict == "differs":
        return found
    words = "but for " + " and ".join(notes) if notes else found.words
    return Compared("within-tolerance", words)


class _Keyed(msgspec.Struct, frozen=True):
    pairs: list[tuple[str, Row, Row]]
    words: str = ""
    is_moved: bool = False


def _by_key(left: Table, right: Table, places: Sequence[int]) -> _Keyed | None:
    """Match rows by key; None: a key occurs twice."""
    ours = {tuple(row[at] for at in places): row for row in left.rows}
    theirs = {tuple(row[at] for at in places): row for row in right.rows}
    if len(ours) != len(left.rows) or len(theirs) != len(right.rows):
        return None
    gone = [key for key in ours if key not in theirs]
    new = [key for key in theirs if key not in ours]
    words = [f"{len(gone):,} of {len(ours):,} rows are missing ({_named(gone[0])})"] if gone else []
    words += [f"{len(new):,} rows are new ({_named(new[0])})"] if new else []
    pairs = [(_named(key), row, theirs[key]) for key, row in ours.items() if key in theirs]
    return _Keyed(pairs, ", ".join(words), list(ours) != list(theirs))


def _named(key: Row) -> str:
    return " ".join(str(part) for part in key)[:60]


class Tally:
    """Counts in which columns rows do not agree, and remembers the first of each."""

    def __init__(self, columns: Sequence[str], allowed: Allowance) -> None:
        self._columns = columns
        self._allowed = allowed
        self._tolerances = [allowed.columns.get(name, allowed.tolerance) for name in columns]
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    @property
    def is_clean(self) -> bool:
        return not self._counts

    def add(self, name: str, one: Row, other: Row) -> None:
        """Compare two rows; `name` tells which they are."""
        if one == other:
            return
        for at, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if mine != theirs and not agree(mine, theirs, self._tolerances[at]):
                self._differs(self._columns[at], name)

    def compare(self, column: str, name: str, one: object, other: object) -> None:
        """Compare two values of a column that may not be among the columns given."""
        if one == other or column in self._allowed.ignore:
            return
        if not agree(one, other, self._allowed.columns.get(column, self._allowed.tolerance)):
            self._differs(column, name)

    def _differs(self, column: str, name: str) -> None:
        self._counts[column] += 1
        self._first.setdefault(column, name)

    def told(self, count: int) -> Compared:
        """Return the verdict on `count` rows."""
        if self.is_clean:
            return Compared("within-tolerance")
        named = [name for name in self._columns if name in self._counts] or list(self._counts)
        told = [
            f"column {name}, {self._counts[name]:,} of {count:,} rows (first: {self._first[name]})"
            for name in named
        ]
        return Compared("differs", few(told))


def _cells(columns: Sequence[str], pairs: Sequence[tuple[str, Row, Row]], allowed: Allowance) -> Compared:
    tally = Tally(columns, allowed)
    for name, one, other in pairs:
        tally.add(name, one, other)
    return tally.told(len(pairs))


def _as_multiset(rows: Iterable[Row]) -> Counter[str]:
    return Counter(repr(row) for row in rows)


def _without(table: Table, ignored: Sequence[str]) -> Table:
    if not any(name in ignored for name in table.columns):
        return table
    return _ordered(table, [name for name in table.columns if name not in ignored])


def _ordered(table: Table, columns: Sequence[str]) -> Table:
    places = [table.columns.index(name) for name in columns]
    return Table(tuple(columns), [tuple(row[at] for at in places) for row in table.rows])


def separator_of(text: str) -> str:
    """Return what stands between the cells of CSV, by its first line."""
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _separated(text: str, separator: str) -> Table:
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    except csv.Error as error:
        raise NoTableError(str(error)) from None
    return _table(rows[0] if rows else [], rows[1:])


def _json_lines(text: str) -> Table:
    found: list[dict[str, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise NoTableError(f"line {number} is no JSON") from None
            if not isinstance(row, dict):
                raise NoTableError(f"line {number} is no JSON object")
            found.append(row)
    columns = list(dict.fromkeys(name for row in found for name in row))
    return _table(columns, [[_plain(row.get(name)) for name in columns] for row in found])


def _plain(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def _parquet(content: bytes) -> Table:
    try:
        from pyarrow import parquet  # noqa: PLC0415  (an extra, and a third of a second)
    except ImportError:
        raise NoTableError(
            "Parquet cannot be read here, that takes pyarrow beside Lockgate: pip install pyarrow"
        ) from None
    try:
        found = parquet.read_table(io.BytesIO(content))
        if found.num_rows > MOST_ROWS:
            raise NoTableError(f"it has more than {MOST_ROWS:,} rows")
        values = [[_plain(value) for value in column.to_pylist()] for column in found.columns]
    except (ValueError, OSError, MemoryError) as error:
        raise NoTableError(f"it is no Parquet: {error}") from None
    names = [f"{field.name}" for field in found.schema]
    return _table(names, list(zip(*values, strict=True)))


def batches_of(stream: BinaryIO) -> tuple[Sequence[str], Iterator[Row]]:
    """Return the columns of a Parquet file, and its rows as they are read. Raises `NoTableError`."""
    try:
        from pyarrow import parquet  # noqa: PLC0415  (an extra, and a third of a second)
    except ImportError:
        raise NoTableError("Parquet cannot be read here, that takes pyarrow beside Lockgate") from None
    try:
        file = parquet.ParquetFile(stream)
        return [field.name for field in file.schema_arrow], _rows_of(file)
    except (ValueError, OSError, MemoryError) as error:
        raise NoTableError(f"it is no Parquet: {error}") from None


def _rows_of(file: Any) -> Iterator[Row]:
    try:
        for batch in file.iter_batches(10_000, use_threads=False):
            columns = [[_plain(value) for value in column.to_pylist()] for column in batch.columns]
            yield from zip(*columns, strict=True)
    except (ValueError, OSError, MemoryError) as error:
        raise NoTableError(f"it is no Parquet: {error}") from None


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    if len(rows) > MOST_ROWS:
        raise NoTableError(f"it has more than {MOST_ROWS:,} rows")
    widest = max([len(columns), *(len(row) for row in rows)])
    named: list[str] = []
    for number in range(widest):
        name = columns[number] if number < len(columns) else ""
        while not name or name in named:
            name = f"{name or 'column'} {number + 1}"
        named.append(name)
    return Table(tuple(named), [tuple(row) + ("",) * (widest - len(row)) for row in rows])
