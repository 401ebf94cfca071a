"""Which run is meant; what a metrics file says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run, flat_metrics
from lockgate.hub.indexing.rows import Request

RUNS = ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW", "01BRZ3NDEKTSV4RRFFQ69G5FAV"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite")
    for run in RUNS:
        index.add_run(
            Request(id=run, project="p", ref="refs/heads/main", commit="c", member="ana"), "queued", 1.0
        )
    yield index
    index.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [(RUNS[0], 0), (RUNS[0].lower(), 0), ("AW", 1), (" 9g5faw ", 1), ("latest", 2), (RUNS[2][1:], 2)],
)
def test_a_run_is_found(index: Index, text: str, number: int) -> None:
    assert find_run(index, "p", text).request.id == RUNS[number]


@pytest.mark.parametrize(
    "text", ["", " ", "%", "_", "A%", "XYZ", RUNS[0] + "0", "LATEST", "é", "' or 1=1 --"]
)
def test_a_run_that_is_not_there(index: Index, text: str) -> None:
    with pytest.raises(UserError) as caught:
        find_run(index, "p", text)
    assert caught.value.code == "run-unknown"


def test_a_run_that_could_be_several(index: Index) -> None:
    with pytest.raises(UserError) as caught:
        find_run(index, "p", "FAV")
    assert caught.value.code == "run-ambiguous"
    assert RUNS[0] in caught.value.hint and RUNS[2] in caught.value.hint
    with pytest.raises(UserError):
        find_run(index, "other", "latest")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1, "b": {"c": 0.5, "d": "x"}, "e": true}', {"a": 1, "b.c": 0.5, "b.d": "x", "e": "true"}),
        (b"0.25", {"value": 0.25}),
        (b'{"a": NaN, "b": Infinity, "c": null, "d": [1]}', {"a": "nan", "b": "inf"}),
        (b'{"long": "' + b"x" * 101 + b'"}', {}),
        (b'{"big": ' + b"9" * 400 + b"}", {"big": "9" * 400}),
        (b'{"big": -' + b"9" * 400 + b"}", {"big": "-" + "9" * 400}),
        (b"9" * 5000, {}),
        (b'{"a":' * 50_000, {}),
        (b'{"a":' * 900 + b"1" + b"}" * 900, {}),
        (b"[" * 50_000, {}),
        (b"", {}),
        (b"\xff", {}),
        (b"a,b\n1,2\n", {}),
    ],
)
def test_leaves(content: bytes, expected: dict[str, float | str]) -> None:
    found = flat_metrics(content)
    if content.startswith(b'{"a":{"a"') and found:
        expected = {".".join("a" * 900): 1}
    assert found == expected
    msgspec.json.encode(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
)


@given(json_values | st.binary())
def test_any_content_is_metrics_or_nothing(value: object) -> None:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    for key, leaf in flat_metrics(content).items():
        assert isinstance(key, str)
        assert isinstance(leaf, int | float | str)
