"""Values across all rows: which stand twice, and which are found in another table."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from .table import open_table
from .types import from_text

#: Rows with a repeated key are compared value by value up to so many, beyond by their digests alone.
_COMPARED_AT_MOST = 1_000_000


def digest(columns: Sequence[str]) -> pl.Expr:
    """Return 64 bits that stand for a row's values; null where one of them is."""
    whole = pl.struct([pl.col(name).cast(pl.String) for name in columns])
    lacks = pl.any_horizontal([pl.col(name).is_null() for name in columns])
    return pl.when(~lacks).then(whole.hash(seed=0))


class Distinct:
    """Tells whether keys repeat, at eight bytes a row."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._digests: list[pl.Series] = []

    def add(self, batch: pl.DataFrame) -> None:
        self._digests.append(batch.select(key=digest(self.columns))["key"].drop_nulls())

    def repeated(self) -> pl.Series:
        """Return the digests that stand in more than one row."""
        if not self._digests:
            return pl.Series("key", [], pl.UInt64)
        ordered = pl.concat(self._digests).sort()
        self._digests.clear()
        return ordered.filter(ordered == ordered.shift(1)).unique()


class Repeats:
    """The rows whose key was there before, found in a second look."""

    def __init__(self, columns: tuple[str, ...], digests: pl.Series) -> None:
        self.columns = columns
        self._digests = digests.implode()
        self._found: list[pl.DataFrame] = []

    def add(self, batch: pl.DataFrame, offset: int) -> None:
        rows = pl.int_range(offset + 1, offset + 1 + batch.height, dtype=pl.Int64, eager=True)
        keyed = batch.select([pl.col(name).cast(pl.String) for name in self.columns]).with_columns(
            batch.select(key=digest(self.columns))["key"].alias("\0key"), rows.alias("\0row")
        )
        found = keyed.filter(pl.col("\0key").is_in(self._digests))
        if sum(each.height for each in self._found) > _COMPARED_AT_MOST:
            found = found.clear()
        self._found.append(found)

    def rows(self) -> tuple[list[tuple[int, str]], int]:
        """Return (row, key and where it stood first) of those that repeat one, and how many there are."""
        found = pl.concat(self._found)
        first = pl.col("\0row").min().over(self.columns)
        again = found.with_columns(first.alias("\0first")).filter(pl.col("\0row") > pl.col("\0first"))
        named = [
            (
                row["\0row"],
                f"{', '.join(str(row[name]) for name in self.columns)} (as in row {row[chr(0) + 'first']})",
            )
            for row in again.head(10).to_dicts()
        ]
        return named, again.height


class Referring:
    """Tells which values of a column another table does not have; keeps each different value once."""

    def __init__(self, column: str) -> None:
        self.column = column
        self._seen: list[pl.DataFrame] = []

    def add(self, batch: pl.DataFrame, offset: int) -> None:
        rows = pl.int_range(offset + 1, offset + 1 + batch.height, dtype=pl.Int64, eager=True)
        value = pl.col(self.column).cast(pl.String)
        keyed = batch.select(value=value, row=rows).drop_nulls()
        self._seen.append(
            keyed.group_by("value", maintain_order=True).agg(
                pl.col("row").min(), pl.len().cast(pl.Int64).alias("count")
            )
        )
        if len(self._seen) > 32:
            self._seen = [self._merged()]

    def _merged(self) -> pl.DataFrame:
        return pl.concat(self._seen).group_by("value").agg(pl.col("row").min(), pl.col("count").sum())

    def missing(self, known: pl.Series) -> tuple[list[tuple[int, str]], int]:
        """Return (row, value) of the first rows whose value is not known, and how many rows there are."""
        if not self._seen:
            return [], 0
        lost = self._merged().join(known.to_frame("value"), on="value", how="anti").sort("row")
        return list(zip(lost["row"].head(10), lost["value"].head(10), strict=True)), int(lost["count"].sum())


def known_values(file: str, column: str, type_: str | None) -> pl.Series | None:
    """Return the values of another table's column, as text; None: it has no such column.

    Raises `UnreadableError`.
    """
    table = open_table(file)
    if column not in table.columns:
        return None
    value = pl.col(column)
    found: list[pl.Series] = []
    for batch in table.batches([column]):
        typed = from_text(value, type_) if table.is_text else value
        found.append(batch.select(value=typed.cast(pl.String))["value"].drop_nulls().unique())
        if len(found) > 32:
            found = [pl.concat(found).unique()]
    return pl.concat(found).unique() if found else pl.Series("value", [], pl.String)
