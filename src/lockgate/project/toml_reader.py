"""TOML read by type: each value is what it must be, or an error names file, line and what to write. Pure."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.project.lines import error_at
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import Scalar
from lockgate.project.quantities import parse_duration, parse_size

LONGEST_TEXT = 16_000_000
LONGEST_NAME = 100
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
PARAMETER = re.compile(r"[^\W\d]\w*")

Path = tuple[str, ...]


def load_toml(text: str, file: str) -> dict[str, object]:
    """Read a text as TOML. Raises `UserError`: `manifest-too-large`, `manifest-syntax`."""
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"{file}:1: the file is {len(text):,} characters long",
            f"Keep it under {LONGEST_TEXT:,}; a matrix says many stages in one line.",
            code="manifest-too-large",
        )
    hint = "Correct this line; see https://toml.io for how TOML is written."
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as problem:
        words = problem.msg[:1].lower() + problem.msg[1:]
        message = f"{file}:{problem.lineno}: {words}"
    except RecursionError:
        message = f"{file}:1: lists or tables lie too deep in each other"
    except (ValueError, OverflowError):
        message = f"{file}:1: a number or date in it is out of range"
    raise UserError(message, hint, code="manifest-syntax")


def nearest(word: str, known: Sequence[str]) -> str:
    """Return what to do about an unknown word: the known one it looks like, or all that are known."""
    close = difflib.get_close_matches(word[:LONGEST_NAME], known, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    if not known:
        return "Remove it: nothing of the kind is known here."
    shown = ", ".join(f'"{name}"' for name in known[:20])
    return f"Known here: {shown}{', …' if len(known) > 20 else ''}."


def _show(value: object) -> str:
    """Return a value as TOML would show it, cut to fit a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = value if len(value) <= 60 else value[:57] + "…"
        return msgspec.json.encode(value.encode("utf-8", "replace").decode()).decode()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number of more than 64 bits"
    return str(value)


class Reader:
    """Takes values out of the document, each checked, each error with its line."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file

    def error(self, path: Path, message: str, hint: str, code: str = "manifest-invalid") -> UserError:
        return error_at(self.file, self.text, path, message, hint, code=code)

    def wrong(self, path: Path, value: object, wanted: str, hint: str = "") -> UserError:
        message = f"{_place(path)}{path[-1]} is {_show(value)}, not {wanted}"
        return self.error(path, message, hint or f"Write {wanted}.")

    def known(self, table: Mapping[str, object], path: Path, keys: Sequence[str], place: str) -> None:
        for key in table:
            if key not in keys:
                raise self.error(
                    (*path, key),
                    f"{place}unknown key {_show(key)}",
                    nearest(key, keys),
                    "manifest-unknown-key",
                )

    def table(self, parent: Mapping[str, object], path: Path) -> dict[str, object]:
        value = parent.get(path[-1], {})
        if not isinstance(value, dict):
            raise self.wrong(path, value, "a table", f"Write it as [{'.'.join(path)}] with keys below.")
        return cast("dict[str, object]", value)

    def tables(self, parent: Mapping[str, object], path: Path) -> list[tuple[str, dict[str, object]]]:
        outer = self.table(parent, path)
        return [(key, self.table(outer, (*path, key))) for key in outer]

    def text_of(self, parent: Mapping[str, object], path: Path) -> str:
        value = parent[path[-1]]
        if not isinstance(value, str):
            raise self.wrong(path, value, "text in quotes")
        if not value.strip():
            raise self.error(path, f"{_place(path)}{path[-1]} is empty", "Fill it in, or remove the line.")
        if "\0" in value:
            raise self.error(
                path, f"{_place(path)}{path[-1]} has a NUL character in it", "Remove the character."
            )
        return value

    def path(self, parent: Mapping[str, object], path: Path) -> str:
        value = self.text_of(parent, path)
        try:
            return clean_path(value)
        except PathError as problem:
            message = f"{_place(path)}{path[-1]}: {problem.message}"
            raise self.error(path, message, problem.hint, problem.code) from None

    def name(self, parent: Mapping[str, object], path: Path) -> str:
        value = self.text_of(parent, path)
        self.check_name(value, path, f"{_place(path)}{path[-1]}")
        return value

    def check_name(self, value: str, path: Path, what: str) -> None:
        if not NAME.fullmatch(value) or len(value) > LONGEST_NAME:
            raise self.error(
                path,
                f"{what} {_show(value)} cannot be a name",
                f'Use letters a to z, digits, "-", "_" and ".", at most {LONGEST_NAME} of them, '
                'not starting with "-" or ".".',
            )

    def texts(self, parent: Mapping[str, object], path: Path) -> tuple[str, ...]:
        value = parent[path[-1]]
        if not isinstance(value, list):
            hint = f"Write {path[-1]} = [{_show(value)}]." if isinstance(value, str) else ""
            raise self.wrong(path, value, "a list of paths", hint)
        for number, item in enumerate(value):
            if not isinstance(item, str):
                raise self.error(
                    (*path, str(number)),
                    f"{_place(path)}{path[-1]} holds {_show(item)}, not a path in quotes",
                    "Write every path in quotes.",
                )
        return tuple(value)

    def words(self, parent: Mapping[str, object], path: Path) -> tuple[str, ...]:
        """Take one text, or a list of them."""
        value = parent[path[-1]]
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(word, str) and word for word in found):
            raise self.wrong(path, value, "text, or a list of texts")
        return tuple(found)

    def truth(self, parent: Mapping[str, object], path: Path) -> bool:
        value = parent[path[-1]]
        if not isinstance(value, bool):
            raise self.wrong(path, value, "true or false")
        return value

    def tolerance(self, value: object, path: Path) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= cast("float", value) < 1e308:
            raise self.wrong(path, value, "a tolerance", "Write a number from 0 on, as 1e-6.")
        return float(cast("float", value))

    def share(self, value: object, path: Path) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= cast("float", value) <= 1:
            raise self.wrong(path, value, "a share", "Write a number from 0 to 1, as 0.99.")
        return float(cast("float", value))

    def scalar(self, value: object, path: Path) -> Scalar:
        """Take what a parameter may be; what JSON and 64 bits cannot say would spoil a fingerprint."""
        if isinstance(value, bool | str):
            return value
        if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise self.error(
            path,
            f"{_place(path)}{'.'.join(path[-2:])} is {_show(value)}, "
            "not text, a finite number of at most 64 bits, true or false",
            "Put a date or a larger number in quotes; give a list to `matrix`.",
        )

    def scalars(self, parent: Mapping[str, object], path: Path) -> dict[str, Scalar]:
        table = self.table(parent, path)
        for name in table:
            self.check_parameter(name, (*path, name))
        return {name: self.scalar(value, (*path, name)) for name, value in table.items()}

    def check_parameter(self, name: str, path: Path) -> None:
        if not PARAMETER.fullmatch(name) or len(name) > LONGEST_NAME:
            raise self.error(
                path,
                f"{_place(path)}{_show(name)} cannot be the name of a parameter",
                "Use letters, digits and _, not starting with a digit.",
            )

    def whole_number(self, parent: Mapping[str, object], path: Path, least: int) -> int:
        value = parent[path[-1]]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
            raise self.wrong(path, value, f"a whole number from {least} to 1000000")
        return value

    def size(self, parent: Mapping[str, object], path: Path, least: int) -> int:
        value = parent[path[-1]]
        size = parse_size(value) if isinstance(value, str) else value
        if isinstance(size, bool) or not isinstance(size, int) or not least <= size < 1 << 63:
            raise self.wrong(path, value, "a size", 'Write it as "4 GB", "512 MiB" or a number of bytes.')
        return size

    def duration(self, parent: Mapping[str, object], path: Path) -> int:
        value = parent[path[-1]]
        seconds = parse_duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds < 1 << 40:
            raise self.wrong(
                path, value, "a duration", 'Write it as "10 min", "2 h", "1 d 2 h" or a number of seconds.'
            )
        return seconds


def _place(path: Path) -> str:
    if path[0] == "stages" and len(path) > 2:
        return f"stage {path[1]}: "
    return f"[{path[0]}]: " if len(path) > 1 else ""
