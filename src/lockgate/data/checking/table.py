"""A table as it lies on the disk: CSV, TSV, JSON lines, Parquet; one file, or a folder of files alike."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from .packed import BROKEN, PACKED, ending, is_packed, lines_of

#: Ending → what it is read as.
KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: Types whose values JSON writes without quotes.
_BARE = ("integer", "number", "boolean")
#: So many rows are looked at at once: what bounds the memory, and what a call of pandera costs.
BATCH_ROWS = 100_000
#: The names of JSON's columns are gathered from so many rows.
_NAMES_FROM_ROWS = 10_000
NAMED_AT_MOST = 5


class UnreadableError(Exception):
    """The file is no table: in words, and the rows to look at, counted from 1 below the header."""

    def __init__(self, words: str, rows: Sequence[tuple[int, str]] = (), count: int = 1) -> None:
        super().__init__(words)
        self.words = words
        self.rows = tuple(rows)
        self.count = count


@dataclass(frozen=True)
class Table:
    """A table that can be read, batch by batch."""

    frame: pl.LazyFrame
    columns: tuple[str, ...]
    is_text: bool
    """Whether every value is text still, as in CSV; what it stands for is to be found out."""

    def batches(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows of some columns in their order. Raises `UnreadableError`."""
        if not columns:
            yield from self._counted()
            return
        try:
            yield from self.frame.select(columns).collect_batches(
                chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming"
            )
        except pl.exceptions.PolarsError as error:
            raise UnreadableError(_first_line(error)) from None

    def _counted(self) -> Iterator[pl.DataFrame]:
        try:
            height = self.frame.select(pl.len()).collect(engine="streaming").item()
        except pl.exceptions.PolarsError as error:
            raise UnreadableError(_first_line(error)) from None
        yield pl.DataFrame(height=height)


def open_table(
    path: str,
    separator: str | None = None,
    missing: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
) -> Table:
    """Open a table; `typed`: column → the type that its values are to have.

    Raises `UnreadableError` for what is none: empty, not UTF-8, ragged, of another form."""
    files = files_of(path)
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        raise UnreadableError(f"files of different forms lie in it: {', '.join(sorted(filter(None, kinds)))}")
    (kind,) = kinds
    try:
        if kind == "csv":
            return _open_csv(files, separator, missing)
        return _open_json(files, typed or {}) if kind == "jsonl" else _open_parquet(files)
    except pl.exceptions.PolarsError as error:
        raise UnreadableError(_first_line(error)) from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None


def kind_of(file: str) -> str | None:
    """Return what a file is read as, by its name; None: it is no table."""
    kind = KINDS.get(ending(file))
    return None if kind == "parquet" and is_packed(file) else kind


def files_of(path: str) -> list[str]:
    """Return the files of a table in the order of their rows. Raises `UnreadableError`."""
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise UnreadableError("is not there")
        if kind_of(path) is None:
            raise UnreadableError(
                f"has none of the endings that are read as tables: {', '.join(KINDS)}; "
                f"of text also with {' or '.join(PACKED)} behind it"
            )
        return [path]
    found = []
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith(("_", ".")))
        # Spark leaves `_SUCCESS` and checksums beside its parts
        found += [
            os.path.join(folder, name)
            for name in sorted(names)
            if not name.startswith(("_", ".")) and kind_of(name) is not None
        ]
    if not found:
        raise UnreadableError(f"no file in this folder ends in {', '.join(KINDS)}")
    return found


def _open_csv(files: Sequence[str], separator: str | None, missing: Sequence[str]) -> Table:
    sign = separator or ("," if ending(files[0]) == ".csv" else "\t")
    header = _header(files[0], sign)
    _refuse_names(header)
    for file in files:
        if file is not files[0] and (own := _header(file, sign)) != header:
            raise UnreadableError(f"{file} has other columns than {files[0]}: {', '.join(own[:20])}")
        _refuse_ragged(file, sign, len(header))
    frame = pl.scan_csv(
        list(files),
        glob=False,
        separator=sign,
        infer_schema=False,
        null_values=list(missing) or None,
        new_columns=header,
        raise_if_empty=False,
    )
    return Table(frame, tuple(header), is_text=True)


def _header(file: str, separator: str) -> list[str]:
    if os.path.getsize(file) == 0:
        raise UnreadableError("is empty: it has neither a header nor a row")
    csv.field_size_limit(1 << 30)
    try:
        header = next(csv.reader(lines_of(file), delimiter=separator), None)
    except BROKEN as error:
        raise _broken(file, error, "its header cannot be read") from None
    if not header or not any(header):
        raise UnreadableError("has no header: its first line is empty")
    return header


def _refuse_names(names: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise UnreadableError(f"column names stand twice: {', '.join(name or '(empty)' for name in twice)}")


def _refuse_ragged(file: str, separator: str, width: int) -> None:
    """Refuse rows with more or fewer values than the header has names.

    A look at the separators of each line is enough where no value is quoted, and quick; only where it finds
    other numbers are the rows read as CSV is.
    """
    line = pl.col("line")
    others = (line.str.count_matches(separator, literal=True) != width - 1) & (line != "") & (line != "\r")
    try:
        found = (
            pl.scan_lines(file, name="line", glob=False)
            .select(others.sum())
            .collect(engine="streaming")
            .item()
        )
    except pl.exceptions.PolarsError as error:
        raise _broken(file, error, "cannot be read as text") from None
    if not found:
        return
    rows: list[tuple[int, str]] = []
    count = 0
    reader = csv.reader(lines_of(file), delimiter=separator)
    try:
        next(reader, None)
        for number, row in enumerate(reader, 1):
            if len(row) != width and row:
                count += 1
                if len(rows) < NAMED_AT_MOST:
                    rows.append((number, f"{len(row)} value{'' if len(row) == 1 else 's'}"))
    except BROKEN as error:
        raise _broken(file, error, f"line {reader.line_num} cannot be read") from None
    if count:
        first = rows[0]
        words = f"row {first[0]} has {first[1]}, the header names {width} columns"
        raise UnreadableError(words, rows, count)


def _broken(file: str, error: Exception, words: str) -> UnreadableError:
    """Return what is wrong with a file whose lines could not be read."""
    if isinstance(error, UnicodeDecodeError | pl.exceptions.PolarsError) and not is_packed(file):
        return _not_utf8(file)
    if isinstance(error, csv.Error | UnicodeDecodeError):
        return UnreadableError(f"{words}: {error}")
    return UnreadableError(f"{words}: it does not unpack to UTF-8 text; is it whole?")


def _not_utf8(file: str) -> UnreadableError:
    with open(file, "rb") as opened:
        for number, line in enumerate(opened, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                wrong = f"byte 0x{line[error.start]:02X} in line {number}"
                return UnreadableError(f"is not UTF-8: {wrong}", [(max(1, number - 1), wrong)])
    return UnreadableError("cannot be read as text")


def _open_json(files: Sequence[str], typed: Mapping[str, str]) -> Table:
    for file in files:
        if os.path.getsize(file) == 0:
            raise UnreadableError("is empty: it has no row")
    try:
        seen = pl.scan_ndjson(list(files), infer_schema_length=_NAMES_FROM_ROWS).collect_schema()
        schema = dict.fromkeys(seen.names(), pl.String())
        frame = pl.scan_ndjson(list(files), schema=schema)
        frame.select(pl.len()).collect(engine="streaming")
        frame = _marked(files, frame, [name for name in schema if typed.get(name) in _BARE])
    except pl.exceptions.PolarsError as error:
        raise _no_json(files) or UnreadableError(_first_line(error)) from None
    return Table(frame, tuple(schema), is_text=True)


def _marked(files: Sequence[str], frame: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """Put the quotes back around JSON's strings in columns of numbers and truths: `"7"` is no integer.

    A string is what can be read neither as a number nor as a truth. Empty ones stay what they are in every
    form: no value.
    """
    if not names:
        return frame
    kinds: dict[str, pl.DataType] = {"number": pl.Float64(), "truth": pl.Boolean()}
    read = [
        pl.scan_ndjson(list(files), schema=dict.fromkeys(names, dtype), ignore_errors=True).select(
            pl.col(name).alias(f"{name}\0{kind}") for name in names
        )
        for kind, dtype in kinds.items()
    ]
    bare = {
        name: pl.any_horizontal(pl.col(f"{name}\0{kind}").is_not_null() for kind in kinds) for name in names
    }
    quoted = (
        pl.when(pl.col(name).is_null() | (pl.col(name) == "") | bare[name])
        .then(pl.col(name))
        .otherwise(pl.format('"{}"', pl.col(name)))
        .alias(name)
        for name in names
    )
    columns = frame.collect_schema().names()
    return pl.concat([frame, *read], how="horizontal").with_columns(quoted).select(columns)


def _no_json(files: Sequence[str]) -> UnreadableError | None:
    for file in files:
        try:
            for number, line in enumerate(lines_of(file), 1):
                try:
                    said = json.loads(line) if line.strip() else {}
                except ValueError as error:
                    return UnreadableError(f"line {number} is no JSON: {error}", [(number, "no JSON")])
                if not isinstance(said, dict):
                    return UnreadableError(f"line {number} is no JSON object", [(number, "no object")])
        except BROKEN as error:
            return _broken(file, error, "cannot be read as text")
    return None


def _open_parquet(files: Sequence[str]) -> Table:
    frame = pl.scan_parquet(list(files), glob=False, hive_partitioning=len(files) > 1)
    return Table(frame, tuple(frame.collect_schema().names()), is_text=False)


def _first_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"cannot be read: {words[0] if words else type(error).__name__}"
