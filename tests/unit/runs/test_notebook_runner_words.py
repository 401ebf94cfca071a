from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.notebook_runner import Document, RefusedError, failure_line, kernel_command, literal


@pytest.mark.parametrize(
    ("value", "r", "julia"),
    [
        (True, "TRUE", "true"),
        (None, "NULL", "nothing"),
        (3, "3", "3"),
        (-0.5, "-0.5", "-0.5"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
        ('a"\\\n', '"a\\"\\\\\\n"', '"a\\"\\\\\\n"'),
        ("$x ü", '"$x ü"', '"\\$x ü"'),
    ],
)
def test_parameters_are_written_in_the_notebooks_language(value: Any, r: str, julia: str) -> None:
    assert literal(value, "r") == r
    assert literal(value, "julia") == julia


@given(
    st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
)
def test_a_python_literal_reads_back_as_the_value(value: object) -> None:
    assert ast.literal_eval(literal(value, "python")) == value


@pytest.mark.parametrize(("value", "expected"), [(math.inf, 'float("inf")'), (-math.inf, '-float("inf")')])
def test_python_has_no_word_for_infinity(value: float, expected: str) -> None:
    assert literal(value, "python") == expected


def test_the_line_that_failed_is_found_in_its_own_cell() -> None:
    traceback = [
        "\x1b[31mKeyError\x1b[39m   Traceback (most recent call last)",
        "Cell In[12], line 7\n----> 7 other()",
        "\x1b[36mCell\x1b[39m In[2], line 1\n",
        "Cell In[2], line 3\n      1 a\n----> 3 \x1b[32mdo\x1b[39m(it)\n      4 b",
    ]
    error = {"ename": "KeyError", "evalue": "\n'x'\nmore", "traceback": traceback[:2] + traceback[3:]}
    assert failure_line(2, error) == "cell 2 failed: KeyError: 'x' (line 3: do(it))"
    assert failure_line(3, error) == "cell 3 failed: KeyError: 'x'"
    assert failure_line(1, {}) == "cell 1 failed: error"
    assert len(failure_line(1, {"ename": "E", "evalue": "y" * 10_000})) < 400


def document(tmp_path: Path, metadata: object, cells: list[object]) -> Document:
    source = tmp_path / "n.ipynb"
    source.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return Document(source, tmp_path / "out.ipynb")


def test_a_copy_is_written_as_jupyter_writes_it(tmp_path: Path) -> None:
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "ü\nb"}
    copy = document(tmp_path, {"x": 1}, [cell])
    copy.save()
    expected = {
        "cells": [cell | {"source": ["ü\n", "b"]}],
        "metadata": {"x": 1},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = (tmp_path / "out.ipynb").read_text("utf-8")
    assert text == json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "metadata",
    [{"kernelspec": None}, {"kernelspec": 3}, {"kernelspec": {"name": 4}}, {"language_info": "python"}],
)
def test_odd_metadata_is_left_out(tmp_path: Path, metadata: object) -> None:
    copy = document(tmp_path, metadata, [])
    assert copy.metadata == {}
    assert copy.language == "python"


def test_a_kernels_name_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kernel.json").write_text('{"argv": ["evil"]}')
    (tmp_path / "job/kernels").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "job")
    copy = document(tmp_path, {"kernelspec": {"name": "../../outside", "language": "R"}}, [])
    with pytest.raises(RefusedError, match="no kernel named"):
        kernel_command(copy, tmp_path / "c.json")


def test_a_broken_kernel_specification_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernels/ours").mkdir(parents=True)
    (tmp_path / "kernels/ours/kernel.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError, match="is not a kernel specification"):
        kernel_command(document(tmp_path, {"kernelspec": {"name": "ours"}}, []), tmp_path / "c.json")
