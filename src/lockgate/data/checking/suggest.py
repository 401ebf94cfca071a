"""A first set of rules, drawn from the data, wide enough that the next version of it may differ."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import polars as pl

from .keys import Distinct
from .table import Table, open_table
from .types import from_text, is_empty, is_of_type

#: The first type that takes every value of a column is its type.
_TRIED = ("integer", "number", "boolean", "date", "datetime")
#: Values are listed where they are so few, and each stands for so many rows.
_MOST_VALUES = 12
_ROWS_A_VALUE = 20
#: A column of fewer rows may be without repetition by chance.
_ROWS_FOR_UNIQUE = 20


class _Seen:
    """What was seen of one column."""

    def __init__(self, types: tuple[str, ...]) -> None:
        self.types = list(types)
        self.lacks = False
        self.has_any = False
        self.least: Any = None
        self.most: Any = None
        self.values: set[str] | None = set()


def suggest(path: str) -> dict[str, Any]:
    """Return rules for the table at a path, as `[checks]` has them. Raises `UnreadableError`."""
    table = open_table(path)
    schema = table.frame.collect_schema()
    seen = {name: _Seen(_possible(schema[name], table)) for name in table.columns}
    rows = 0
    for batch in table.batches(table.columns):
        rows += batch.height
        for name, each in seen.items():
            _see(each, batch[name], table)
    unique = _unique(table, seen) if rows >= _ROWS_FOR_UNIQUE else set()
    columns = {name: _rules(each, rows, name in unique) for name, each in seen.items()}
    return {"rows": {"min": int(_rounded(rows // 2, up=False)) or min(rows, 1)}, "columns": columns}


def _possible(dtype: pl.DataType, table: Table) -> tuple[str, ...]:
    if table.is_text:
        return _TRIED
    return tuple(type_ for type_ in (*_TRIED, "text") if is_of_type(dtype, type_))[:1]


def _see(seen: _Seen, column: pl.Series, table: Table) -> None:
    name = pl.col(column.name)
    frame = column.to_frame()
    if table.is_text:
        empty = frame.select(is_empty(name, "number" if seen.types else None)).to_series()
        present = frame.filter(~empty)
        for type_ in list(seen.types):
            if present.select(from_text(name, type_).is_null().any()).item():
                seen.types.remove(type_)
        if not seen.types:
            empty = column.is_null()
        seen.lacks = seen.lacks or bool(empty.any())
        typed = present.select(from_text(name, seen.types[0] if seen.types else None)).to_series()
    else:
        typed = column.fill_nan(None) if column.dtype.is_float() else column
        seen.lacks = seen.lacks or typed.null_count() > 0
    typed = typed.drop_nulls()
    seen.has_any = seen.has_any or typed.len() > 0
    if typed.len() and (typed.dtype.is_numeric() or typed.dtype.is_temporal()):
        least, most = typed.min(), typed.max()
        is_kin = type(seen.least) is type(least)
        seen.least = min(seen.least, least) if is_kin else _min_of(seen.least, least)
        seen.most = max(seen.most, most) if is_kin else _max_of(seen.most, most)
    if seen.values is not None and typed.dtype == pl.String:
        seen.values |= set(typed.unique().head(_MOST_VALUES + 1))
        if len(seen.values) > _MOST_VALUES:
            seen.values = None


def _min_of(before: Any, now: Any) -> Any:
    return min(before, now) if isinstance(before, int | float) and isinstance(now, int | float) else now


def _max_of(before: Any, now: Any) -> Any:
    return max(before, now) if isinstance(before, int | float) and isinstance(now, int | float) else now


def _unique(table: Table, seen: dict[str, _Seen]) -> set[str]:
    names = [
        name
        for name, each in seen.items()
        if not each.lacks
        and (each.types[:1] in (["integer"], ["text"]) or (table.is_text and not each.types))
    ]
    distinct = {name: Distinct((name,)) for name in names}
    for batch in table.batches(names) if names else ():
        for each in distinct.values():
            each.add(batch)
    return {name for name, each in distinct.items() if not each.repeated().len()}


def _rules(seen: _Seen, rows: int, is_unique: bool) -> dict[str, Any]:
    if not seen.has_any:
        return {"nullable": True}
    type_ = seen.types[0] if seen.types else "text"
    rules: dict[str, Any] = {"type": type_}
    if seen.lacks or not rows:
        rules["nullable"] = True
    if is_unique:
        rules["unique"] = True
    if type_ in ("integer", "number") and seen.least is not None and not is_unique:
        rules["min"], rules["max"] = _range(float(seen.least), float(seen.most), whole=type_ == "integer")
    elif type_ in ("date", "datetime") and isinstance(seen.least, date | datetime):
        # Time goes on: only where it begins is told
        rules["min"] = f"{seen.least.year}-01-01"
    if type_ == "text" and seen.values and rows >= _ROWS_A_VALUE * len(seen.values) and not is_unique:
        rules["values"] = sorted(seen.values)
    return rules


def _range(least: float, most: float, *, whole: bool) -> tuple[int | float, int | float]:
    """Return a range wider than what was seen by half of it, in round numbers, on the same side of 0."""
    room = (most - least) / 2 or abs(most) / 2 or 1.0
    low = 0.0 if least >= 0 and least - room < least / 2 else _rounded(least - room, up=False)
    high = 0.0 if most <= 0 and most + room > most / 2 else _rounded(most + room, up=True)
    if {least, most} <= {0.0, 1.0}:
        low, high = 0.0, 1.0
    return (int(low), int(high)) if whole or (low == int(low) and high == int(high)) else (low, high)


def _rounded(number: float, *, up: bool) -> int | float:
    """Return the nearest number above or below with one digit, or two where it begins with 1."""
    if not number:
        return 0
    size = math.floor(math.log10(abs(number)))
    step = 10.0 ** (size - (abs(number) / 10.0**size < 2))
    found = (math.ceil if up else math.floor)(round(number / step, 9)) * step
    return int(found) if found == int(found) else float(f"{found:.6g}")
