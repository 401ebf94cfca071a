"""The first rows of several projects, asked for in rounds: the same as of all rows together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.search.first import in_rounds


class Line(NamedTuple):
    at: int
    number: int
    project: int


class Table:
    """Answers as an index does, and keeps count of the rows it looked at."""

    def __init__(self, lines: Sequence[Line], *, is_descending: bool) -> None:
        self.lines = sorted(lines, reverse=is_descending)
        self.is_descending = is_descending
        self.looked_at = 0

    def ask(self, projects: Sequence[int], most: int, most_each: int) -> list[Any]:
        first = [
            line
            for project in projects
            for line in [line for line in self.lines if line.project == project][:most_each]
        ]
        self.looked_at += len(first)
        return sorted(first, reverse=self.is_descending)[:most]

    def first(self, projects: Sequence[int], limit: int) -> list[Any]:
        return in_rounds(self.ask, projects, limit, "at", "number", is_descending=self.is_descending)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=80),
    st.integers(1, 30),
    st.booleans(),
)
def test_they_are_those_of_all_rows(rows: list[tuple[int, int]], limit: int, is_descending: bool) -> None:
    lines = [Line(at, number, project) for number, (at, project) in enumerate(rows)]
    table = Table(lines, is_descending=is_descending)
    assert table.first(range(7), limit) == table.lines[:limit]


def test_of_projects_alike_few_rows_are_looked_at() -> None:
    table = Table([Line(number, number, number % 20) for number in range(20_000)], is_descending=True)
    assert table.first(range(20), 50) == table.lines[:50]
    assert table.looked_at <= 300


def test_of_one_that_has_them_all_more_is_asked_for() -> None:
    table = Table([Line(number, number, number // 1_000) for number in range(20_000)], is_descending=True)
    assert table.first(range(20), 50) == table.lines[:50]
    assert table.looked_at <= 500  # a page of each were 1,000


def test_of_no_project_there_are_none() -> None:
    assert Table([], is_descending=True).first((), 50) == []
