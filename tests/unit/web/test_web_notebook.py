"""Notebooks by their cells: shown as a page on which nothing acts, and compared."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.showing.notebook_cells import Cell, Notebook, Output, read_notebook
from lockgate.hub.showing.notebook_diff import notebook_diff
from lockgate.web.pages.notebook_page import page_of


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "execution_count": 1}


def said(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def book(*cells: dict[str, Any]) -> Notebook:
    return read_notebook(json.dumps({"nbformat": 4, "metadata": {}, "cells": list(cells)}).encode())


def test_cells_are_read_with_what_they_said() -> None:
    picture = {"output_type": "display_data", "data": {"text/plain": "<Figure>", "image/png": "iVBO\n"}}
    found = book(code("x = 1", said("one\n"), picture), {"cell_type": "markdown", "source": ["# A\n", "b"]})
    assert found.cells == (
        Cell(
            "code",
            "x = 1",
            (Output("stream", "one\n", "one\n"), Output("image/png", "iVBO\n", "<Figure>")),
            1,
        ),
        Cell("markdown", "# A\nb"),
    )


def test_the_format_before_is_read_too() -> None:
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "1", "outputs": []}]}]}
    assert read_notebook(json.dumps(old).encode()).cells == (Cell("code", "1"),)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b'{"cells": 3}', b"\xff"])
def test_what_is_no_notebook_is_told_in_words(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is no JSON|it has no cells"):
        read_notebook(content)


def test_the_page_shows_text_code_tables_and_pictures() -> None:
    table = {"output_type": "execute_result", "data": {"text/html": "<table><tr><td>7</td></tr></table>"}}
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=\n"}}
    shown = page_of(
        book(
            {"cell_type": "markdown", "source": "## A <script>x</script>"}, code("import os", table, picture)
        ),
        "<i>",
    ).decode()
    assert "<h2>A &lt;script&gt;x&lt;/script&gt;</h2>" in shown
    assert "<td>7</td>" in shown
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="figure">' in shown
    assert '<span class="kn">import</span>' in shown
    assert "<title>&lt;i&gt;</title>" in shown


def test_a_picture_that_is_none_breaks_out_of_nothing() -> None:
    evil = '"><script>alert(1)</script>'
    forms = ("image/png", "image/svg+xml", "text/plain", "text/markdown")
    outputs = [{"output_type": "display_data", "data": {form: evil, "text/plain": evil}} for form in forms]
    assert b"<script" not in page_of(book(code(evil, *outputs)), evil)


def lines(old: Notebook | None, new: Notebook | None) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in notebook_diff("a.ipynb", "changed", old, new).lines]


def test_changes_are_told_by_cells() -> None:
    old = book(code("a = 1"), code("b = 1\nprint(b)", said("1\n")), code("gone"))
    new = book(code("a = 1"), code("b = 2\nprint(b)", said("2\n")))
    assert lines(old, new) == [
        ("hunk", "Cell 2, code: changed"),
        ("del", "-b = 1"),
        ("add", "+b = 2"),
        ("", " print(b)"),
        ("hunk", "Cell 2, output"),
        ("del", "-1"),
        ("add", "+2"),
        ("hunk", "Cell 3, code: removed"),
        ("del", "-gone"),
    ]


def test_what_is_not_of_the_cells_is_no_change_of_a_line() -> None:
    assert [kind for kind, _ in lines(book(code("a")), book(code("a")))] == ["hunk"]
    assert lines(None, book(code("a")))[0] == ("hunk", "Cell 1, code: added")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "cell_type", "source", "outputs", "data", "text/html", "metadata", "level"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_VALUES, _VALUES)
def test_whatever_a_file_holds_is_shown_or_refused(one: object, other: object) -> None:
    found: list[Notebook | None] = []
    for value in (one, {"cells": [other, {"cell_type": "code", "outputs": [other]}]}):
        try:
            found.append(read_notebook(json.dumps(value).encode()))
        except ValueError:
            found.append(None)
        book_ = found[-1]
        if book_ is not None:
            assert re.match(rb"<!doctype html>", page_of(book_, "x"))
    notebook_diff("x", "changed", *found)
