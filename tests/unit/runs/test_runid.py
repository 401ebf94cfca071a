"""Run ids."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.runid import encode_ulid, is_run_id, new_run_id, short


def test_known_values() -> None:
    """The specification's own example of the time, and both ends."""
    assert encode_ulid(1_469_918_176_385, 0)[:10] == "01ARYZ6S41"
    assert encode_ulid(0, 0) == "0" * 26
    assert encode_ulid(2**48 - 1, 2**80 - 1) == "7" + "Z" * 25


@given(
    st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1)
)
def test_ids_sort_as_their_times(a: int, x: int, b: int, y: int) -> None:
    assert (encode_ulid(a, x) < encode_ulid(b, y)) == ((a, x) < (b, y))
    assert is_run_id(encode_ulid(a, x))


def test_new_ids() -> None:
    before = time.time_ns() // 1_000_000
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    for made in ids:
        assert encode_ulid(before, 0)[:10] <= made[:10] <= encode_ulid(time.time_ns() // 1_000_000, 0)[:10]
        assert is_run_id(made)
    assert short("01ARZ3NDEKTSV4RRFFQ69G5FAV") == "Q69G5FAV"


@pytest.mark.parametrize(
    "text",
    ["", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "I", "01arz3ndektsv4rrffq69g5fav", "٠" * 26],
)
def test_what_is_no_run_id(text: str) -> None:
    assert not is_run_id(text)
