"""What is asked of a table, as the program is told it: the rules of one path, out of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

#: The types a column may be of.
TYPES = ("text", "integer", "number", "boolean", "date", "datetime")


@dataclass(frozen=True)
class Reference:
    """Where every value of a column must be found."""

    file: str
    column: str


@dataclass(frozen=True)
class ColumnRules:
    """What is asked of one column; None: nothing of that sort."""

    type: str | None = None
    required: bool = True
    nullable: bool = False
    unique: bool = False
    min: int | float | str | None = None
    max: int | float | str | None = None
    values: tuple[str | int | float | bool, ...] | None = None
    pattern: str | None = None
    references: Reference | None = None
    drift: float | None = None


@dataclass(frozen=True)
class Rules:
    """What is asked of one table."""

    columns: dict[str, ColumnRules]
    rows_min: int = 1
    rows_max: int | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    other_columns: bool = True
    separator: str | None = None
    missing: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many rules there are, the one on the number of rows among them."""
        asked = 1 + len(self.unique) + (not self.other_columns)
        for column in self.columns.values():
            asked += column.required + (not column.nullable) + column.unique
            said = (column.type, column.min, column.max, column.values, column.pattern)
            asked += sum(each is not None for each in (*said, column.references, column.drift))
        return asked


def read_rules(text: bytes) -> Rules:
    """Read what `project.check.rules_json` wrote."""
    said: dict[str, Any] = json.loads(text)
    columns = {name: _column(rules) for name, rules in said.pop("columns", {}).items()}
    known = {field.name for field in fields(Rules)}
    given = {name: value for name, value in said.items() if name in known}
    for name in ("missing",):
        given[name] = tuple(given.get(name, ()))
    given["unique"] = tuple(tuple(key) for key in given.get("unique", ()))
    return Rules(columns=columns, **given)


def _column(said: dict[str, Any]) -> ColumnRules:
    given = dict(said)
    if given.get("references") is not None:
        given["references"] = Reference(**given["references"])
    if given.get("values") is not None:
        given["values"] = tuple(given["values"])
    return ColumnRules(**given)
