from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.outputs import NotebookError, with_outputs_of, without_outputs

STREAM = {"output_type": "stream", "name": "stdout", "text": ["naïve ☃\n"]}


def cell(source: str, *, outputs: list[Any] | None = None, count: int | None = None, **more: Any) -> Any:
    about: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {},
        "outputs": outputs or [],
    }
    return about | {"source": source} | more


def written(*cells: Any, **more: Any) -> str:
    document = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


TEXT = {"cell_type": "markdown", "source": "o"}
EXECUTED = written(cell("a = 'é'", outputs=[STREAM], count=3), cell("b"), TEXT)
PLAIN = written(cell("a = 'é'"), cell("b"), TEXT)


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: json.dumps(json.loads(text)),
        lambda text: json.dumps(json.loads(text), indent="\t"),
    ],
    ids=["jupyter", "crlf", "byte-order-mark", "no-last-line-break", "one-line", "tabs"],
)
def test_a_notebook_is_as_if_never_executed_and_else_the_same_to_the_byte(form: Any) -> None:
    executed, plain = form(EXECUTED).encode(), form(PLAIN).encode()
    assert without_outputs(executed) == plain
    assert without_outputs(plain) is plain
    assert with_outputs_of(plain, executed) == executed


def test_what_executing_leaves_in_metadata_goes_too() -> None:
    times = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    for metadata, left in [
        ({"execution": times}, {}),
        ({"a": 1, "execution": times}, {"a": 1}),
        ({"execution": times, "tags": ["parameters"]}, {"tags": ["parameters"]}),
        (
            {"ExecuteTime": {}, "b": [1, {}], "execution": times, "papermill": {}, "z": 0},
            {"b": [1, {}], "z": 0},
        ),
    ]:
        found = without_outputs(written(cell("x", metadata=metadata)).encode())
        assert found.decode() == written(cell("x", metadata=left))
    widgets = {"kernelspec": {"name": "ir"}, "widgets": {"state": {"a": 1}}}
    assert without_outputs(written(metadata=widgets).encode()).decode() == written(
        metadata={"kernelspec": {"name": "ir"}}
    )


def test_nbformat_3_has_its_cells_in_worksheets() -> None:
    def old(outputs: list[Any], count: int | None) -> bytes:
        code = {"cell_type": "code", "input": "1", "outputs": outputs, "prompt_number": count}
        return json.dumps({"nbformat": 3, "worksheets": [{"cells": [code]}]}).encode()

    assert without_outputs(old([STREAM], 4)) == old([], None)


def test_outputs_stay_with_cells_whose_code_is_the_same() -> None:
    mine = written(cell("a", outputs=[STREAM], count=1, id="1"), cell("b", outputs=[STREAM], count=2, id="2"))
    theirs = written(cell("new", id="0"), cell("a", id="1"), cell("changed", id="2"))
    found = json.loads(with_outputs_of(theirs.encode(), mine.encode()))
    assert [each["execution_count"] for each in found["cells"]] == [None, 1, None]
    assert [len(each["outputs"]) for each in found["cells"]] == [0, 1, 0]


def test_outputs_of_what_is_no_notebook_are_no_outputs() -> None:
    assert with_outputs_of(PLAIN.encode(), b"\xff") == PLAIN.encode()
    assert with_outputs_of(b"{", PLAIN.encode()) == b"{"


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b"\xff\xfe", b"<<<<<<< ours\n{}", b'{"cells": 3}', b'{"cells": [7]}', b'{"cells": [{}',
     b'{"metadata": {}}', b'{"cells" []}', b'{"cells": [{"cell_type": "code"} 3]}', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_notebook_is_told(broken: bytes) -> None:
    with pytest.raises(NotebookError):
        without_outputs(broken)


def test_a_long_output_takes_no_long_time() -> None:
    picture = {"output_type": "display_data", "data": {"image/png": "A" * 30_000_000}, "metadata": {}}
    assert (
        without_outputs(written(cell("a", outputs=[picture], count=1)).encode())
        == written(cell("a")).encode()
    )


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
cells = st.builds(
    cell,
    st.text(max_size=8),
    outputs=st.lists(values, max_size=3),
    count=st.none() | st.integers(0, 9),
    metadata=st.dictionaries(st.sampled_from(["execution", "tags", "papermill", "a"]), values, max_size=4),
)


@given(st.lists(cells, max_size=4), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_outputs_leave_any_notebook_once_and_for_all(found: list[Any], indent: Any, is_ascii: bool) -> None:
    content = json.dumps({"cells": found, "nbformat": 4}, indent=indent, ensure_ascii=is_ascii).encode()
    once = without_outputs(content)
    assert without_outputs(once) is once
    for before, after in zip(found, json.loads(once)["cells"], strict=True):
        kept = {key: value for key, value in before["metadata"].items() if key in ("tags", "a")}
        assert after == before | {"outputs": [], "execution_count": None, "metadata": kept}
    assert without_outputs(with_outputs_of(once, content)) == once
