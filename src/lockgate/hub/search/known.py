"""Which projects and which parameters and metrics there are, by their numbers in the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from lockgate.errors import UserError
from lockgate.hub.search.filters import COLUMNS, near
from lockgate.hub.search.tables import names, projects

_PREFIXES = {"param.": "param", "params.": "param", "metric.": "metric", "metrics.": "metric"}


class Name(msgspec.Struct, frozen=True):
    """One parameter or metric of one project."""

    number: int
    kind: Literal["param", "metric"]
    name: str


class Known(msgspec.Struct, frozen=True):
    """What can be asked for."""

    projects: dict[int, str]
    names: tuple[Name, ...]

    def find(self, column: str) -> list[Name]:
        """Return the parameters and metrics meant by a column.

        That is the one of this name, else those whose name ends so after `:`, `/` or `.`; `param.` or
        `metric.` before it says which of both.
        """
        found = self._matching(column, None)
        for prefix, kind in _PREFIXES.items():
            if not found and column.startswith(prefix):
                found = self._matching(column[len(prefix) :], kind)
        return found

    def numbers_of(self, column: str) -> tuple[int, ...]:
        """Return their numbers. Raises `UserError` (`filter-invalid`) where there are none."""
        found = self.find(column)
        if not found:
            labels = sorted({each.name.rpartition(":")[2] for each in self.names})
            raise UserError(
                f"no run has the column `{column}`",
                f"Columns there are: {near(column, [*labels, *COLUMNS])}",
                code="filter-invalid",
            )
        return tuple(each.number for each in found)

    def _matching(self, column: str, kind: str | None) -> list[Name]:
        candidates = [each for each in self.names if kind is None or each.kind == kind]
        if exact := [each for each in candidates if each.name == column]:
            return exact
        ends = tuple(mark + column for mark in ":/.")
        return [each for each in candidates if each.name.endswith(ends)]


def load_known(connection: Connection, wanted: Sequence[str]) -> Known:
    """Return what these projects have; one that the index does not know has nothing."""
    found = {
        row.number: row.name
        for row in connection.execute(
            select(projects.c.number, projects.c.name).where(projects.c.name.in_(wanted))
        )
    }
    question = select(names.c.number, names.c.kind, names.c.name).where(names.c.project.in_(found))
    rows = connection.execute(question.order_by(names.c.number)).all()
    return Known(found, tuple(Name(number, kind, name) for number, kind, name in rows))


def load_projects(connection: Connection, wanted: Sequence[str]) -> dict[int, str]:
    """Return number → name of these projects."""
    question = select(projects.c.number, projects.c.name).where(projects.c.name.in_(wanted))
    return {row.number: row.name for row in connection.execute(question)}
