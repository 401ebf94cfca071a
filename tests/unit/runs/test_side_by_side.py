"""Runs side by side: what differs stands first."""

from __future__ import annotations

from lockgate.runs.record import Artifact
from lockgate.runs.side_by_side import made_rows, rows_of


def test_numbers_are_told_with_their_difference_to_the_first_run() -> None:
    rows = rows_of([{"same": 1, "loss": 0.5}, {"same": 1, "loss": 0.25}, {"same": 1}])
    assert [row.name for row in rows] == ["loss", "same"]
    assert [(cell.value, cell.difference, cell.relative) for cell in rows[0].cells] == [
        (0.5, None, None),
        (0.25, -0.25, -0.5),
        (None, None, None),
    ]
    assert rows[1].is_same


def test_zero_and_words_have_no_relative_difference() -> None:
    rows = {row.name: row for row in rows_of([{"n": 0, "w": "a"}, {"n": 2, "w": "b"}])}
    assert (rows["n"].cells[1].difference, rows["n"].cells[1].relative) == (2.0, None)
    assert rows["w"].cells[1].difference is None


def test_what_only_one_run_made_differs() -> None:
    def one(path: str, md5: str) -> Artifact:
        return Artifact(path=path, size_bytes=1, md5=md5)

    rows = made_rows([[one("a", "1"), one("b", "1")], [one("a", "1")]])
    assert [(row.path, row.is_same) for row in rows] == [("b", False), ("a", True)]
