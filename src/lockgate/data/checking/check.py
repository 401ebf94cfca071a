"""Checking a table: one look at its rows in batches, and a second one only where a key repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .drift import Profile, Sample, profile_of, psi
from .keys import Distinct, Referring, Repeats, known_values
from .outcome import Failure, Outcome, counted
from .rules import ColumnRules, Rules
from .schema import Schema
from .table import Table, UnreadableError, open_table
from .types import from_text, is_empty, is_of_type


class BrokenLookError(Exception):
    """The rows could not be gone over, which says nothing of the table: in words."""


def check(
    path: str, rules: Rules, accepted: Mapping[str, Profile], looking: type[Look] | None = None
) -> Outcome:
    """Check a table by its rules; `accepted`: what is kept of the last accepted version, by column.

    `looking`: how its rows are looked at; None: here.
    """
    try:
        typed = {name: each.type for name, each in rules.columns.items() if each.type is not None}
        table = open_table(path, rules.separator, rules.missing, typed)
        return (looking or Look)(path, table, rules, accepted).outcome()
    except UnreadableError as error:
        failure = Failure("table", None, error.words)
        failure.add(error.rows, 0)
        failure.first.clear()
        return Outcome(path, None, (), rules.count, [failure], {}, {})


class Look:
    """One look at a table, and what it finds."""

    def __init__(self, path: str, table: Table, rules: Rules, accepted: Mapping[str, Profile]) -> None:
        self.path = path
        self.table = table
        self.rules = rules
        self.accepted = accepted
        self.failures: dict[tuple[str, str | None], Failure] = {}
        self.columns = {name: each for name, each in rules.columns.items() if name in table.columns}
        self.rows = 0

    def outcome(self) -> Outcome:
        """Return what came of it. Raises `UnreadableError`."""
        self._columns()
        keys = [key for key in self._keys() if all(name in self.table.columns for name in key)]
        drifting = [name for name, each in self.columns.items() if each.drift is not None]
        sampled = self.look(keys, drifting)
        self._row_count()
        drift, profiles = self._drift(sampled)
        return Outcome(
            path=self.path,
            rows=self.rows,
            columns=self.table.columns,
            rule_count=self.rules.count,
            failures=self._ordered(),
            drift=drift,
            profiles=profiles,
        )

    def look(self, keys: Sequence[tuple[str, ...]], drifting: list[str]) -> dict[str, pl.Series]:
        """Go over the rows: count them, note what fails, return an even sample of the columns that drift."""
        distinct = [Distinct(key) for key in keys]
        referring = {
            name: Referring(name) for name, each in self.columns.items() if each.references is not None
        }
        sample = Sample(drifting)
        schema = Schema(self.columns, is_text=self.table.is_text)
        wanted = list(dict.fromkeys([*self.columns, *(name for key in keys for name in key)]))
        for raw in self.table.batches(wanted):
            batch = self._typed(raw)
            self._rows(schema, raw, batch)
            for each in distinct:
                each.add(batch)
            for other in referring.values():
                other.add(batch, self.rows)
            if drifting:
                sample.add(batch, self.rows)
            self.rows += raw.height
        self._unique(distinct)
        for name, other in referring.items():
            self._references(name, self.columns[name], other)
        return {name: sample.column(name) for name in drifting} if self.rows else {}

    def _keys(self) -> list[tuple[str, ...]]:
        alone = [(name,) for name, each in self.rules.columns.items() if each.unique]
        return list(dict.fromkeys([*alone, *self.rules.unique]))

    def _ordered(self) -> list[Failure]:
        """Return what failed: what is about the whole first, then by the first row."""
        place = {name: at for at, name in enumerate(self.table.columns)}
        return sorted(
            self.failures.values(),
            key=lambda each: (each.first[0][0] if each.first else 0, place.get(each.column or "", -1)),
        )

    def fail(self, rule: str, column: str | None, wanted: str) -> Failure:
        """Note that a rule does not hold, and return where its rows are counted."""
        return self.failures.setdefault((rule, column), Failure(rule, column, wanted))

    def _columns(self) -> None:
        there = self.table.columns
        for name, each in self.rules.columns.items():
            if name not in there and each.required:
                self.fail("required", name, f"is missing; there are {_listed(there)}")
        for key in self.rules.unique:
            for name in key:
                if name not in there:
                    self.fail("required", name, f"is missing; there are {_listed(there)}")
        others = [name for name in there if name not in self.rules.columns]
        if others and not self.rules.other_columns:
            self.fail("other_columns", None, f"there are columns that no rule names: {_listed(others)}")
        if not self.table.is_text:
            schema = self.table.frame.collect_schema()
            for name, each in list(self.columns.items()):
                if each.type is not None and not is_of_type(schema[name], each.type):
                    self.fail("type", name, f"is of type {schema[name]}, not {each.type}")
                    del self.columns[name]

    def _typed(self, raw: pl.DataFrame) -> pl.DataFrame:
        if not self.table.is_text:
            floats = [name for name, dtype in raw.schema.items() if dtype.is_float()]
            return raw.with_columns(pl.col(floats).fill_nan(None)) if floats else raw
        types = {name: each.type for name, each in self.columns.items() if each.type is not None}
        return raw.with_columns(from_text(pl.col(name), type_).alias(name) for name, type_ in types.items())

    def _rows(self, schema: Schema, raw: pl.DataFrame, batch: pl.DataFrame) -> None:
        untyped = self._types(raw, batch)
        for column, rule, cases in schema.failures(batch.select(list(self.columns))):
            lost = untyped.get(column)
            if rule == "nullable" and lost is not None:
                cases = cases.filter(~pl.col("index").is_in(lost.implode()))
            if cases.height:
                each = self.columns[column]
                self._count(self.fail(rule, column, wanted(rule, each)), cases)

    def _types(self, raw: pl.DataFrame, batch: pl.DataFrame) -> dict[str, pl.Series]:
        """Count the texts that are no value of their column's type, and return their places."""
        if not self.table.is_text:
            return {}
        found = {}
        for name, each in self.columns.items():
            if each.type is None or each.type == "text":
                continue
            if raw[name].null_count() == batch[name].null_count():
                continue
            is_lost = batch[name].is_null() & ~raw.select(is_empty(pl.col(name), each.type)).to_series()
            places = is_lost.arg_true().cast(pl.Int64)
            if places.len():
                cases = pl.DataFrame({"index": places, "value": raw[name].gather(places)})
                self._count(self.fail("type", name, wanted("type", each)), cases)
                found[name] = places
        return found

    def _count(self, failure: Failure, cases: pl.DataFrame) -> None:
        head = cases.head(10)
        rows = [
            (self.rows + 1 + index, value) for index, value in zip(head["index"], head["value"], strict=True)
        ]
        failure.add(rows, cases.height)

    def _row_count(self) -> None:
        least, most = self.rules.rows_min, self.rules.rows_max
        if self.rows < least:
            words = "it has a header and no row" if not self.rows else f"it has {counted(self.rows, 'row')}"
            self.fail("rows", None, f"{words}; at least {least:,} are asked for")
        elif most is not None and self.rows > most:
            self.fail("rows", None, f"it has {self.rows:,} rows; at most {most:,} are asked for")

    def _unique(self, distinct: list[Distinct]) -> None:
        again = {each.columns: each.repeated() for each in distinct}
        repeats = [Repeats(key, digests) for key, digests in again.items() if digests.len()]
        if not repeats:
            return
        offset = 0
        for raw in self.table.batches(list(dict.fromkeys(name for each in repeats for name in each.columns))):
            typed = {name: self.columns[name].type for name in raw.columns if name in self.columns}
            batch = raw
            if self.table.is_text:
                batch = raw.with_columns(
                    from_text(pl.col(name), type_).alias(name) for name, type_ in typed.items()
                )
            for each in repeats:
                each.add(batch, offset)
            offset += raw.height
        for each in repeats:
            self.fail_unique(each.columns, *each.rows())

    def fail_unique(self, key: tuple[str, ...], rows: Sequence[tuple[int, str]], count: int) -> None:
        """Note the rows whose key stands twice."""
        if count:
            name = key[0] if len(key) == 1 else None
            words = "stands twice" if name else f"stands twice as {', '.join(key)}"
            self.fail(f"unique {', '.join(key)}", name, words).add(rows, count)

    def _references(self, name: str, rules: ColumnRules, seen: Referring) -> None:
        assert rules.references is not None
        file, column = rules.references.file, rules.references.column
        try:
            known = known_values(file, column, rules.type)
        except UnreadableError as error:
            self.fail("references", name, f"{file}, which it refers to: {error.words}")
            return
        if known is None:
            self.fail("references", name, f"{file}, which it refers to, has no column {column}")
            return
        rows, count = seen.missing(known)
        if count:
            self.fail("references", name, f"is not in column {column} of {file}").add(rows, count)

    def _drift(self, sampled: Mapping[str, pl.Series]) -> tuple[dict[str, float], dict[str, Any]]:
        drift: dict[str, float] = {}
        profiles: dict[str, Any] = {}
        for name, values in sampled.items():
            profiles[name] = profile_of(values)
            index = psi(self.accepted[name], values) if name in self.accepted else None
            limit = self.columns[name].drift
            if index is None or limit is None:
                continue
            drift[name] = index
            if index > limit:
                words = f"has drifted from the last accepted version: PSI {index:.3f}, more than {limit:g}"
                self.fail("drift", name, words)
        return drift, profiles


def wanted(rule: str, rules: ColumnRules) -> str:
    """Return what a value is that fails a rule, in words."""
    if rule == "type":
        article = "an" if rules.type == "integer" else "a"
        return f"is not {article} {rules.type}"
    if rule == "nullable":
        return "where a value must be"
    if rule == "min":
        return f"is below {rules.min}"
    if rule == "max":
        return f"is above {rules.max}"
    if rule == "values":
        return f"is not among {_listed([str(value) for value in rules.values or ()])}"
    return f"does not fit {rules.pattern}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - 8
    return ", ".join(names[:8]) + (f" and {more} more" if more > 0 else "")
