"""Times, numbers and names as they stand on a page."""

from __future__ import annotations

import pytest

from lockgate.web.words import ago, day, initials, number, percent, signed, when

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (42, "42 s ago"),
        (200, "3 min ago"),
        (7300, "2 h ago"),
        (86_400 * 3, "3 d ago"),
        (9e6, ""),
    ],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_a_time_is_relative_with_the_absolute_one_behind_it() -> None:
    assert str(when(NOW - 90, NOW)) == (
        '<time datetime="2027-01-15T07:58:30Z" title="2027-01-15 07:58:30 UTC">1 min ago</time>'
    )
    assert ">2026-09-21</time>" in when("2026-09-21T10:00:00Z", NOW)
    assert str(when(None)) == "–"


def test_days_as_people_say_them() -> None:
    assert day(NOW, NOW) == "Today"
    assert day(NOW - 86_400, NOW) == "Yesterday"
    assert day("2026-09-01T10:00:00Z", NOW) == "Tuesday, 1 September 2026"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (3, "3"),
        (3.0, "3"),
        (1234567, "1\u202f234\u202f567"),
        (0.123456789, "0.123457"),
        (12345.678, "12\u202f345.68"),
        (1.5e-9, "1.5e-09"),
        (float("nan"), "nan"),
        ("word", "word"),
    ],
)
def test_numbers(value: object, shown: str) -> None:
    assert number(value) == shown


def test_differences_bear_their_sign() -> None:
    assert [signed(value) for value in (0.5, -2.0, 0.0, None)] == ["+0.5", "−2", "±0", ""]
    assert [percent(value) for value in (0.123, -0.5, None)] == ["+12.3%", "−50.0%", ""]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("ada", "ad"), ("ada lovelace", "al"), ("a.b@example.org", "ab"), ("ada@example.org", "ad"), ("", "")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
