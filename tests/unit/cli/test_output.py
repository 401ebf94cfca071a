"""Printing: columns, colours, nothing that steers a terminal; and `-p`."""

from __future__ import annotations

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.cli.output import bold, echo, print_json, printable, state_words, table, uses_colour, when
from lockgate.cli.parameters import parse_parameters
from lockgate.errors import UserError

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é → 日本\t\n", "plain é → 日本\t\n"),
        ("caf\udce9", "caf\\udce9"),
        ("a\rb\x07\x00", "a\\x0db\\x07\\x00"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[1;1H", "\\x1b[2J\\x1b[1;1H"),
        ("\x9b31m\u202e", "\\x9b31m\\x202e"),
    ],
)
def test_what_reaches_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_no_text_steers_a_terminal(text: str) -> None:
    shown = click.unstyle(printable(text))
    assert all(c in "\n\t" or c.isprintable() for c in shown)
    shown.encode()


def test_columns_are_as_wide_as_they_need(capsys: Capture) -> None:
    table([("a", "long cell", "x"), (click.style("wide", fg="red"), "b", "")], ("ONE", "TWO", "THREE"))
    assert [click.unstyle(line) for line in capsys.readouterr().out.splitlines()] == [
        "ONE   TWO        THREE",
        "a     long cell  x",
        "wide  b",
    ]


def test_no_rows_no_table(capsys: Capture) -> None:
    table([])
    assert capsys.readouterr().out == ""
    table([], ("ONE", "TWO"))
    assert capsys.readouterr().out == "ONE  TWO\n"


def test_without_a_terminal_there_is_no_colour(capsys: Capture) -> None:
    assert not uses_colour()
    assert state_words("failed") == "failed"
    assert bold("x") == "x"
    echo("\x1b[31mred\x1b[0m")
    assert capsys.readouterr().out == "red\n"


def test_json(capsys: Capture) -> None:
    print_json({"a": [1, "é"]})
    out = capsys.readouterr().out
    assert msgspec.json.decode(out) == {"a": [1, "é"]}
    assert out.startswith("{\n  ")


def test_times_are_utc() -> None:
    assert when(0.9) == "1970-01-01 00:00:00Z"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {}),
        (("depth=8", "train.rate=0.1"), {"depth": "8", "train.rate": "0.1"}),
        (("a=b=c", "e=", "s= x "), {"a": "b=c", "e": "", "s": " x "}),
        (("a=1", "a=2"), {"a": "2"}),
    ],
)
def test_parameters(words: tuple[str, ...], expected: dict[str, str]) -> None:
    assert parse_parameters(words) == expected


@pytest.mark.parametrize("word", ["", "depth", "=8", "="])
def test_no_parameter(word: str) -> None:
    with pytest.raises(UserError, match="not NAME=VALUE") as caught:
        parse_parameters(("a=1", word))
    assert caught.value.code == "parameter-unreadable"
