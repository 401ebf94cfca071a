"""What came of a check: which rules failed, in how many rows, the first of them; in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .drift import Profile

NAMED_AT_MOST = 5
_LONGEST_VALUE = 60
FORMAT = 1


@dataclass
class Failure:
    """One rule that does not hold."""

    rule: str
    column: str | None
    wanted: str
    """What is not so, in words, as `below 0`."""
    count: int = 0
    """In how many rows; 0: it is about the whole."""
    first: list[tuple[int, str]] = field(default_factory=list)
    """The number of a row, counted from 1 below the header, and what stands there."""

    def add(self, rows: Sequence[tuple[int, str]], count: int) -> None:
        """Count rows that fail; the first few are kept."""
        self.count += count
        self.first += [(row, shown(value)) for row, value in rows[: NAMED_AT_MOST - len(self.first)]]

    @property
    def words(self) -> str:
        """The failure in one line: the rule, the first row, how many more."""
        place = f"column {self.column}: " if self.column is not None else ""
        if not self.first:
            return f"{place}{self.wanted}"
        row, value = self.first[0]
        more = f" ({self.count:,} rows)" if self.count > 1 else ""
        return f"{place}row {row}: {value} {self.wanted}{more}"


@dataclass
class Outcome:
    """What came of checking one table."""

    path: str
    rows: int | None
    columns: tuple[str, ...]
    rule_count: int
    failures: list[Failure]
    drift: dict[str, float]
    profiles: dict[str, Profile]

    @property
    def has_passed(self) -> bool:
        return not self.failures

    @property
    def headline(self) -> str:
        """One line that says all that must be known; of a table that failed, beside its path."""
        if self.has_passed:
            return f"{self.path}: {self.size}; {counted(self.rule_count, 'rule')} hold"
        more = len(self.failures) - 1
        also = f"; {counted(more, 'more rule')} failed" if more else ""
        return f"{self.failures[0].words}{also}"

    @property
    def size(self) -> str:
        if self.rows is None:
            return "not readable as a table"
        return f"{counted(self.rows, 'row')}, {counted(len(self.columns), 'column')}"

    def lines(self) -> list[str]:
        """Return everything, to be read; the last line is the headline."""
        said = [] if self.has_passed else [f"{self.path}: {self.size}"]
        for failure in self.failures:
            said.append(f"  failed: {failure.words}")
            said += [f"    row {row}: {value}" for row, value in failure.first[1:]]
            if failure.count > len(failure.first) > 0:
                said.append(f"    … {failure.count - len(failure.first):,} more")
        for column, index in self.drift.items():
            said.append(f"  drift of {column} since the accepted version: {index:.3f} (PSI)")
        return [*said, self.headline]

    def to_json(self) -> str:
        """Return the report that is kept with the data's version."""
        said: dict[str, Any] = {
            "format": FORMAT,
            "path": self.path,
            "has_passed": self.has_passed,
            "rows": self.rows,
            "columns": list(self.columns),
            "rules": self.rule_count,
            "failures": [
                {
                    "rule": each.rule,
                    "column": each.column,
                    "words": each.words,
                    "count": each.count,
                    "first": [{"row": row, "value": value} for row, value in each.first],
                }
                for each in self.failures
            ],
            "drift": self.drift,
            "profiles": self.profiles,
        }
        return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def shown(value: object) -> str:
    """Return a value as it stands in one line, cut where it is long."""
    if value is None:
        return "(nothing)"
    text = str(value)
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
