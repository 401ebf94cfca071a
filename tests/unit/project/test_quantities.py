"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.quantities import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100 MB", 100_000_000),
        ("1KB", 1000),
        ("1 KiB", 1024),
        ("1.5 GB", 1_500_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("2 tb", 2_000_000_000_000),
        ("7 B", 7),
        ("0.1 B", 1),
        ("0.3 KB", 300),
        (" 4 GB ", 4_000_000_000),
        ("4 G", None),
        ("4", None),
        ("-1 MB", None),
        ("1 iB", None),
        ("", None),
        ("MB", None),
        ("٤ MB", 4_000_000),
        ("1e3 MB", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("10 min", 600),
        ("2 h", 7200),
        ("1 d 2 h", 93_600),
        ("1h30min", 5400),
        ("1.5 hours", 5400),
        ("0.1 s", 1),
        ("1 h 2 h", None),
        ("10", None),
        ("1:30:00", None),
        ("", None),
        (" ", None),
        ("1 month", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


@given(st.text())
def test_any_text_is_a_quantity_or_none(text: str) -> None:
    size, seconds = parse_size(text), parse_duration(text)
    assert size is None or size >= 0
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**12), st.sampled_from(["B", "KB", "MB", "GB", "TB"]))
def test_units_are_thousands(number: int, unit: str) -> None:
    assert parse_size(f"{number} {unit}") == number * 1000 ** ["B", "KB", "MB", "GB", "TB"].index(unit)
