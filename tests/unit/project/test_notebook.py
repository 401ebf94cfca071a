"""What a notebook says about itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.notebook import parameter_names, read_notebook


def notebook(*cells: tuple[str, list[str]], **metadata: object) -> bytes:
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": metadata,
            "cells": [
                {
                    "cell_type": "code",
                    "id": "x",
                    "source": source,
                    "metadata": {"tags": tags},
                    "outputs": [],
                    "execution_count": None,
                }
                for source, tags in cells
            ],
        }
    ).encode()


def names(source: str, **metadata: object) -> tuple[str, ...]:
    return parameter_names(
        read_notebook(notebook(("z = 1", []), (source, ["parameters"]), **metadata), "n.ipynb")
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("depth = 4\nrate: float = 0.5\n", ("depth", "rate")),
        ("a = b = 1\nc, d = 1, 2\n(e) = 3", ("a", "b", "c", "d", "e")),
        ("%matplotlib inline\n!ls\na = 1  # the depth", ("a",)),
        ("if x:\n    hidden = 1\na.b = 2\na[0] = 3\nf(x=1)", ()),
        ("a = 1\na = 2", ("a",)),
        ('s = """\nnot = 1\n"""\nt = 2', ("s", "t")),
        ("größe = 1", ("größe",)),
        ("x = '\\d'", ("x",)),
        ("this is = no python\nb = 2", ("b",)),
        ("", ()),
    ],
)
def test_python_parameters(source: str, expected: tuple[str, ...]) -> None:
    assert names(source) == expected


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        (
            "R",
            "depth <- 4\nrate = 0.5\nmodel.name <- 'x'\n# no <- 1\nx == 3\nprint(y)",
            ("depth", "rate", "model.name"),
        ),
        ("julia", "depth = 4\nrate::Float64 = 0.5\nf(x) = 3\na => b", ("depth", "rate")),
    ],
)
def test_parameters_of_other_languages(language: str, source: str, expected: tuple[str, ...]) -> None:
    assert names(source, kernelspec={"language": language, "name": "k"}) == expected


def test_source_may_be_a_list_of_lines() -> None:
    content = notebook(("", ["parameters"])).replace(b'"source": ""', b'"source": ["a = 1\\n", "b = 2"]')
    assert parameter_names(read_notebook(content, "n.ipynb")) == ("a", "b")


def test_only_the_first_tagged_code_cell_counts() -> None:
    content = notebook(("a = 1", ["x", "parameters"]), ("b = 1", ["parameters"]))
    assert parameter_names(read_notebook(content, "n.ipynb")) == ("a",)
    markdown = content.replace(b'"cell_type": "code"', b'"cell_type": "markdown"', 1)
    assert parameter_names(read_notebook(markdown, "n.ipynb")) == ("b",)
    assert parameter_names(read_notebook(notebook(("a = 1", [])), "n.ipynb")) == ()


def test_language_and_kernel() -> None:
    found = read_notebook(notebook(kernelspec={"name": "ir", "language": "R"}), "n.ipynb")
    assert (found.language, found.kernel) == ("r", "ir")
    found = read_notebook(notebook(language_info={"name": "julia"}, kernelspec={"name": 3}), "n.ipynb")
    assert (found.language, found.kernel) == ("julia", None)
    assert read_notebook(notebook(), "n.ipynb").language == "python"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "notebook-not-json"),
        (b"{", "notebook-not-json"),
        (b"\xff\xfe", "notebook-not-json"),
        (b'{"x": ' + b"[" * 100_000, "notebook-not-json"),
        (b"[]", "notebook-invalid"),
        (b"{}", "notebook-invalid"),
        (b'{"nbformat": 3, "cells": []}', "notebook-invalid"),
        (b'{"nbformat": 4, "cells": [{"cell_type": 3}]}', "notebook-invalid"),
    ],
)
def test_what_is_no_notebook(content: bytes, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_notebook(content, "a/n.ipynb")
    assert caught.value.code == code
    assert caught.value.message.startswith("a/n.ipynb: ")
    assert caught.value.hint


def test_the_marks_of_a_merge_conflict_are_named() -> None:
    with pytest.raises(UserError) as caught:
        read_notebook(b'{"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> x\n]}', "n.ipynb")
    assert "merge conflict" in caught.value.message
    assert "nbdime" in caught.value.hint


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_notebook(b"\xef\xbb\xbf" + notebook(), "n.ipynb").cells == ()


@given(
    st.text() | st.lists(st.sampled_from(["a", "=", "\n", " ", "(", "%", "<-", "'", ":", ","])).map("".join)
)
def test_any_cell_has_an_answer(source: str) -> None:
    found = names(source.encode("utf-8", "replace").decode())
    assert len(set(found)) == len(found)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["cells", "metadata", "nbformat", "source", "tags"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    try:
        parameter_names(read_notebook(content, "n.ipynb"))
    except UserError as error:
        assert error.code in ("notebook-not-json", "notebook-invalid")
