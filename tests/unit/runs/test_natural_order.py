"""Names with numbers in them, sorted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.natural_order import natural_key


@pytest.mark.parametrize(
    "names",
    [
        ["m-4.json:acc", "m-9.json:acc", "m-10.json:acc", "m-16.json:acc"],
        ["lr-1e-05", "lr-0.05", "lr-0.1", "lr-0.25"],
        ["train@depth=9,rate=0.5", "train@depth=10,rate=0.25", "train@depth=10,rate=0.5"],
        ["", "1", "a", "a1", "a2b", "a10b", "b", "é", "数2", "数10"],
        ["x" + "9" * 300, "x" + "9" * 400, "x" + "9" * 6000],
    ],
)
def test_numbers_count_as_numbers(names: list[str]) -> None:
    shuffled = names[::-1]
    assert sorted(shuffled, key=natural_key) == names


@given(st.lists(st.integers(0, 10**12), unique=True), st.text("ab-_/.@", max_size=4))
def test_as_the_numbers_are(numbers: list[int], around: str) -> None:
    names = [f"{around}{number}x" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{around}{number}x" for number in sorted(numbers)]


@given(st.lists(st.text("019.e-+aé", max_size=6), unique=True))
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)
    assert len({natural_key(name) for name in names}) == len(names)
