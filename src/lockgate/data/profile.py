"""What a dataset looks like: rows, columns, how their values are spread. Made once for each content."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Of the numbers and of how they are found: a profile of another form is made anew.
FORM = 1

Kind = Literal["integer", "number", "boolean", "day", "moment", "text", "other", "empty"]


class Column(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One column, of the rows that were read."""

    name: str
    kind: Kind
    null_count: int = 0
    distinct_count: int = 0
    is_distinct_exact: bool = True
    """False: estimated, within some 5 %."""
    least: str = ""
    """Of numbers by value, of days and texts by their letters; cut where long."""
    largest: str = ""
    mean: float | None = None
    deviation: float | None = None
    """The standard deviation of the values read (n - 1)."""
    quartiles: tuple[float, float, float] | None = None
    bars: tuple[int, ...] = ()
    """How many values lie in each of equal parts of the span from `low` to `high`."""
    low: float | None = None
    """Of days and moments in seconds since 1970, UTC."""
    high: float | None = None
    common: tuple[tuple[str, int], ...] = ()
    """The values met most often; none where nearly every value is another."""


class Ending(msgspec.Struct, frozen=True):
    """The files of a folder that end alike."""

    name: str
    """As `.csv`; empty: without one."""
    file_count: int
    size_bytes: int


class Profile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One dataset's content."""

    form: int = FORM
    format: str = ""
    """`csv`, `tsv`, `jsonl`, `parquet`; empty: no table."""
    row_count: int | None = None
    is_row_count_exact: bool = True
    read_row_count: int = 0
    """The rows that the columns' numbers are of."""
    columns: tuple[Column, ...] = ()
    column_count: int = 0
    """Of all, where not all are told."""
    endings: tuple[Ending, ...] = ()
    """Of a folder."""
    read: tuple[str, ...] = ()
    """Of a folder: the files that were read."""
    notes: tuple[str, ...] = ()
    """What is to be known of the numbers, in words: what was sampled, what was not as expected."""
    problem: str = ""
    """Why there are no columns, in words."""

    @property
    def is_sampled(self) -> bool:
        return self.row_count is not None and (
            not self.is_row_count_exact or self.read_row_count < self.row_count
        )
