"""Which projects and which parameters and metrics there are, by their numbers in the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from lockgate.errors import UserError
from lockgate.hub.search.filters import COLUMNS, near
from lockgate.hub.search.tables import names, project_names, projects

#: Of so many projects the names are kept in memory.
MOST_KEPT = 2_000

_PREFIXES = {"param.": "param", "params.": "param", "metric.": "metric", "metrics.": "metric"}


class Name(msgspec.Struct, frozen=True):
    """One parameter or metric, whichever projects have it."""

    number: int
    kind: Literal["param", "metric"]
    name: str


class ProjectNames(msgspec.Struct, frozen=True):
    """The parameters and metrics of one project as they were when its mark `changed` was this."""

    changed: int
    names: tuple[Name, ...]


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


def load_known(connection: Connection, wanted: Sequence[str], kept: dict[int, ProjectNames]) -> Known:
    """Return what these projects have; one that the index does not know has nothing.

    `kept`: what was read before. It is brought up to date: only projects that got new names are read again.
    """
    question = select(projects.c.number, projects.c.name, projects.c.names_changed)
    rows = connection.execute(question.where(projects.c.name.in_(wanted))).all()
    changed = {
        row.number: row.names_changed
        for row in rows
        if row.number not in kept or kept[row.number].changed != row.names_changed
    }
    found = {row.number: kept[row.number].names for row in rows if row.number not in changed}
    if changed:
        fresh = _load_names(connection, list(changed))
        found |= fresh
        if len(kept) > MOST_KEPT:
            kept.clear()
        kept.update({number: ProjectNames(changed[number], own) for number, own in fresh.items()})
    if len(rows) == 1:
        return Known({row.number: row.name for row in rows}, next(iter(found.values())))
    together = {each.number: each for own in found.values() for each in own}
    return Known(
        {row.number: row.name for row in rows}, tuple(together[number] for number in sorted(together))
    )


def _load_names(connection: Connection, wanted: Sequence[int]) -> dict[int, tuple[Name, ...]]:
    question = (
        select(project_names.c.project, names.c.number, names.c.kind, names.c.name)
        .join(names, names.c.number == project_names.c.name)
        .where(project_names.c.project.in_(wanted))
        .order_by(names.c.number)
    )
    found: dict[int, list[Name]] = {number: [] for number in wanted}
    for project, number, kind, name in connection.execute(question):
        found[project].append(Name(number, kind, name))
    return {number: tuple(own) for number, own in found.items()}


def load_projects(connection: Connection, wanted: Sequence[str]) -> dict[int, str]:
    """Return number → name of these projects."""
    question = select(projects.c.number, projects.c.name).where(projects.c.name.in_(wanted))
    return {row.number: row.name for row in connection.execute(question)}
