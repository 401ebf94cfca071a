"""From text to values: what a column's type takes, and what it does not."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

_TRUE, _FALSE = ("true", "t", "1", "yes"), ("false", "f", "0", "no")
#: ISO 8601, with a blank for its `T` as databases write it; a zone is brought to UTC.
_MOMENTS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")

DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}


def from_text(column: pl.Expr, type_: str | None) -> pl.Expr:
    """Return what a text stands for; null where it is no value of the type."""
    if type_ is None or type_ == "text":
        return column
    word = column.str.strip_chars()
    if type_ == "integer":
        number = word.cast(pl.Float64, strict=False)
        # pandas writes whole numbers as `3.0` where one of the column is missing
        whole = pl.when(number.is_finite() & (number == number.round(0))).then(number)
        return pl.coalesce(word.cast(pl.Int64, strict=False), whole.cast(pl.Int64, strict=False))
    if type_ == "number":
        return word.cast(pl.Float64, strict=False).fill_nan(None)
    if type_ == "boolean":
        lower = word.str.to_lowercase()
        return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
    if type_ == "date":
        return word.str.to_date("%Y-%m-%d", strict=False)
    moment = word.str.replace("T", " ", literal=True).str.replace("Z$", "")
    plain = [moment.str.to_datetime(form, strict=False, time_unit="us") for form in _MOMENTS]
    zoned = [
        moment.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC").dt.replace_time_zone(None)
        for form in _ZONED
    ]
    return pl.coalesce(*plain, *zoned)


def is_empty(column: pl.Expr, type_: str | None) -> pl.Expr:
    """Return where a text stands for no value: null, and for all types but text what is blank or `NaN`."""
    if type_ is None or type_ == "text":
        return column.is_null()
    word = column.str.strip_chars().str.to_lowercase()
    return column.is_null() | word.is_in(["", "nan"] if type_ in ("integer", "number") else [""])


def is_of_type(dtype: pl.DataType, type_: str) -> bool:
    """Return whether a column that has a type of its own is of the type asked for."""
    if type_ == "text":
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    if type_ == "integer":
        return dtype.is_integer()
    if type_ == "number":
        return dtype.is_numeric()
    kinds = {"boolean": pl.Boolean, "date": pl.Date, "datetime": pl.Datetime}
    return dtype == kinds[type_]


def bound(value: int | float | str | bool, type_: str | None) -> int | float | str | bool | date | datetime:
    """Return a limit as a value of its column's type."""
    if type_ == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if type_ == "datetime" and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=None) - (moment.utcoffset() or moment - moment)
    return value
