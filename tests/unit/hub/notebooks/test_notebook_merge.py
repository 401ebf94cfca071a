from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.hub.notebooks import merge as notebooks
from lockgate.hub.notebooks.cell import CellChoice


def notebook(*sources: str, **outputs: str) -> bytes:
    """Cells named c0, c1, …; `outputs` are texts by cell."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "execution_count": None,
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": outputs[f"c{n}"]}]
            if f"c{n}" in outputs
            else [],
            "source": text.splitlines(keepends=True),
        }
        for n, text in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def merged(base: bytes, mine: bytes, theirs: bytes) -> notebooks.Merge:
    found = notebooks.merge(base, mine, theirs)
    assert found is not None
    return found


def sources(content: bytes) -> list[str]:
    found: dict[str, Any] = json.loads(content)
    assert "lockgate" not in content.decode()
    return ["".join(cell["source"]) for cell in found["cells"]]


def test_different_cells_need_no_question() -> None:
    found = merged(notebook("a", "b"), notebook("A", "b"), notebook("a", "B"))
    assert found.cells == ()
    assert sources(found.solve({})) == ["A", "B"]


@pytest.mark.parametrize(
    ("choice", "source"),
    [
        (CellChoice("mine"), "mine"),
        (CellChoice("theirs"), "theirs"),
        (CellChoice("edit", "new\nlines"), "new\nlines"),
    ],
)
def test_one_cell_is_solved_each_way(choice: CellChoice, source: str) -> None:
    found = merged(notebook("a", "b", "c"), notebook("a", "mine", "c"), notebook("A", "theirs", "c"))
    (cell,) = found.cells
    assert (cell.label, cell.mine, cell.theirs) == ("Code cell 2", "mine", "theirs")
    assert sources(found.solve({cell.key: choice})) == ["A", source, "c"]


@pytest.mark.parametrize(
    ("choice", "result"),
    [
        (CellChoice("mine"), ["a", "c"]),
        (CellChoice("theirs"), ["a", "changed", "c"]),
        (CellChoice("edit", "rest"), ["a", "rest", "c"]),
    ],
)
def test_a_cell_removed_here_and_changed_there(choice: CellChoice, result: list[str]) -> None:
    found = merged(
        notebook("a", "b = 1\n", "c"),
        _without(notebook("a", "b = 1\n", "c"), 1),
        notebook("a", "changed", "c"),
    )
    (cell,) = found.cells
    assert cell.mine is None
    assert cell.theirs == "changed"
    assert sources(found.solve({cell.key: choice})) == result


def test_lines_that_begin_alike_are_taken_as_a_whole() -> None:
    found = merged(notebook("a = 1", "b"), notebook("a = 1 + 1", "b"), notebook("a = 'theirs'", "b"))
    (cell,) = found.cells
    assert (cell.mine, cell.theirs) == ("a = 1 + 1", "a = 'theirs'")
    assert sources(found.solve({cell.key: CellChoice("mine")})) == [cell.mine, "b"]
    assert sources(found.solve({cell.key: CellChoice("theirs")})) == [cell.theirs, "b"]


def test_cells_added_by_both_at_one_place_are_both_kept() -> None:
    base = notebook("a")
    found = merged(base, _with(base, "mine = 1"), _with(base, "theirs = 'quite another text'"))
    assert found.cells == ()
    assert sources(found.solve({})) == ["a", "mine = 1", "theirs = 'quite another text'"]


def test_outputs_of_one_cell_are_mine() -> None:
    found = merged(notebook("a", c0="1"), notebook("a", c0="2"), notebook("a", c0="3"))
    assert found.cells == ()
    assert json.loads(found.solve({}))["cells"][0]["outputs"][0]["text"] == ["2"]


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b'{"nbformat": 3, "cells": []}', b'{"nbformat": 4, "cells": [1]}', b"\xff"]
)
def test_what_is_no_notebook_is_merged_as_a_file(broken: bytes) -> None:
    assert notebooks.merge(notebook("a"), notebook("b"), broken) is None
    assert notebooks.merge(None, notebook("b"), notebook("c")) is None


def _with(content: bytes, source: str) -> bytes:
    found = json.loads(content)
    found["cells"].append(dict(found["cells"][0], id=f"n{len(source)}", source=source))
    return json.dumps(found).encode()


def _without(content: bytes, cell: int) -> bytes:
    found = json.loads(content)
    del found["cells"][cell]
    return json.dumps(found).encode()
