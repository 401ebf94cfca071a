"""Printing: JSON for programs, text for people, colour only where it is welcome."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
import msgspec

#: A colour (ECMA-48, SGR), kept as its group; or one character that may be unsafe.
_UNSAFE = re.compile(r"(\x1b\[[0-9;]{0,20}m)|[^ -~\n\t]")

_COLOURS = {
    "succeeded": "green",
    "done": "green",
    "cached": "cyan",
    "failed": "red",
    "blocked": "yellow",
    "cancelled": "yellow",
    "running": "blue",
    "submitted": "blue",
}


def print_json(value: object) -> None:
    """Print a value (structs too) as one indented JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def echo(text: str = "") -> None:
    """Print a line; bytes that are no text do not stop it, control characters do not reach the terminal."""
    click.echo(printable(text), color=None if uses_colour() else False)


def printable(text: str) -> str:
    """Return text without what could steer a terminal; colours, as our own styling writes them, stay."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return _UNSAFE.sub(lambda found: found[1] or _escaped(found[0]), safe)


def _escaped(character: str) -> str:
    return character if character.isprintable() else f"\\x{ord(character):02x}"


def uses_colour() -> bool:
    """Return whether standard output is a terminal and `NO_COLOR` is not set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def state_words(state: str) -> str:
    """Return a state in its colour."""
    return click.style(state, fg=_COLOURS.get(state)) if uses_colour() else state


def bold(text: str) -> str:
    return click.style(text, bold=True) if uses_colour() else text


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows in columns as wide as they need; the last column is not padded."""
    lines = [list(header)] if header else []
    lines += [[printable(cell) for cell in row] for row in rows]
    if not lines:
        return
    widths = [max(len(click.unstyle(line[n])) for line in lines) for n in range(len(lines[0]))]
    for number, line in enumerate(lines):
        cells = [
            cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(line, widths, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        echo(bold(text) if header and number == 0 else text)


def when(at: float) -> str:
    """Return a time as `2026-11-21 05:12:03Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
