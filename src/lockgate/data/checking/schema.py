"""Rules as a schema of pandera, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator

import pandera.polars as pa
import polars as pl

from .rules import ColumnRules
from .types import DTYPES, bound


class Schema:
    """The rules that each row is judged by alone."""

    def __init__(self, columns: dict[str, ColumnRules], *, is_text: bool) -> None:
        self._names: dict[str, list[str]] = {}
        schema = {}
        for name, rules in columns.items():
            checks = dict(_checks(rules))
            self._names[name] = list(checks)
            schema[name] = pa.Column(
                DTYPES[rules.type] if is_text and rules.type is not None else None,
                checks=list(checks.values()),
                nullable=rules.nullable,
            )
        self._schema = pa.DataFrameSchema(schema)

    def failures(self, batch: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """Yield (column, rule, `index` and `value` of the rows that fail it)."""
        try:
            self._schema.validate(batch, lazy=True)
        except pa.errors.SchemaErrors as errors:
            found = errors.failure_cases
        else:
            return
        for (column, number), cases in found.group_by(["column", "check_number"], maintain_order=True):
            rule = self._names[str(column)][int(number)] if number is not None else "nullable"
            yield (
                str(column),
                rule,
                cases.select(pl.col("index").cast(pl.Int64), value=pl.col("failure_case")),
            )


def _checks(rules: ColumnRules) -> Iterator[tuple[str, pa.Check]]:
    if rules.min is not None:
        yield "min", pa.Check.ge(bound(rules.min, rules.type))
    if rules.max is not None:
        yield "max", pa.Check.le(bound(rules.max, rules.type))
    if rules.values is not None:
        yield "values", pa.Check.isin([bound(value, rules.type) for value in rules.values])
    if rules.pattern is not None:
        yield "pattern", pa.Check.str_matches(f"^(?:{rules.pattern})$")
