"""Durations and sizes in words, and parameters under dotted keys."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.parameters import flat_parameters
from lockgate.project.pipeline import Scalar
from lockgate.project.quantities import duration_words, parse_duration, parse_size, size_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.24, "0.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10.0 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_240_000_000, "1.2 GB"),
        (999_500_000_000, "1.0 TB"),
        (12_345_600_000_000, "12.3 TB"),
    ],
)
def test_sizes(size: float, words: str) -> None:
    assert size_words(size) == words


@given(st.integers(10, 10**7))
def test_a_duration_in_words_is_a_duration(seconds: int) -> None:
    read = parse_duration(duration_words(seconds))
    assert read is not None
    assert abs(read - seconds) <= (60 if seconds >= 3600 else 0)


@given(st.integers(1000, 10**15))
def test_a_size_in_words_is_a_size(size: int) -> None:
    read = parse_size(size_words(size))
    assert read is not None
    assert abs(read - size) <= 0.05 * size


@pytest.mark.parametrize(("text", "seconds"), [("1.1 h", 3960), ("0.7 min", 42), ("2.3 d", 198_720)])
def test_a_part_of_an_hour_is_exact(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("p.yaml", "", {}),
        ("p.yaml", "a: 1\nb: {c: 0.5, d: {e: f}}", {"a": 1, "b.c": 0.5, "b.d.e": "f"}),
        ("p.json", '{"a": [1, {"c": 2, "b": 1}], "n": null}', {"a": '[1, {"b": 1, "c": 2}]', "n": "null"}),
        ("p.toml", 'a = 1\n[b]\nc = "x"\nd = 2026-01-01', {"a": 1, "b.c": "x", "b.d": '"2026-01-01"'}),
        ("p.yaml", "a: {}\nb: []", {"a": "{}", "b": "[]"}),
        ("p.yaml", "a: .inf\nb: -.inf\nc: .nan", {"a": "inf", "b": "-inf", "c": "nan"}),
        ("p.yaml", "1: x", {"1": "x"}),
    ],
)  # fmt: skip
def test_parameters_under_dotted_keys(path: str, text: str, expected: dict[str, Scalar]) -> None:
    found = flat_parameters(text, path)
    assert found == expected
    assert all(not isinstance(value, float) or math.isfinite(value) for value in found.values())


@pytest.mark.parametrize(
    ("path", "text"), [("p.yaml", "- 1"), ("p.toml", "a ="), ("p.json", "[1]"), ("p.yaml", "a: [")]
)
def test_what_is_no_table(path: str, text: str) -> None:
    with pytest.raises(UserError, match=rf"^{path}"):
        flat_parameters(text, path)
