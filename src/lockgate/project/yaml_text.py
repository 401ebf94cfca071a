"""YAML read as DVC reads it (YAML 1.2), with the line of every key and item."""

from __future__ import annotations

import math
import re

import yaml

from lockgate.errors import UserError

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Path = tuple[str, ...]

_MOST_VALUES = 1_000_000
_DEEPEST = 100

_TAG = "tag:yaml.org,2002:"
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: The core schema of YAML 1.2, section 10.3.2 (https://yaml.org/spec/1.2.2/). Under 1.1, which is PyYAML's
#: own, `on` would be true and `1e-3` text. Dates stay text.
_PLAIN = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}


class Document:
    """A YAML text's value, and the 1-based line of each key (`("stages", "train")`) and list item."""

    def __init__(self, text: str, file: str) -> None:
        """Raises `UserError` (`manifest-syntax`)."""
        self.file = file
        self._last_line = text.count("\n", 0, len(text.rstrip())) + 1
        self.lines: dict[Path, int] = {}
        self._count = 0
        self._anchors: dict[str, tuple[Value, int]] = {}
        self.value: Value = None
        try:
            # Events, not PyYAML's node tree: composing a deeply nested one overruns the C stack.
            self._events = yaml.parse(text, Loader=_Loader)
            self._read_stream()
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark
            line = mark.line + 1 if mark is not None else 1
            raise self._syntax(line, problem.problem or "no YAML") from None
        except yaml.YAMLError:
            raise self._syntax(1, "a character that YAML does not allow") from None
        except (RecursionError, ValueError, OverflowError):
            raise self._syntax(1, "a value that is too deep, too large or no text") from None

    def line(self, path: Path) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: Path, message: str, hint: str, code: str) -> UserError:
        return UserError(f"{self.file}:{self.line(path)}: {message}", hint, code=code)

    def _syntax(self, line: int, problem: str) -> UserError:
        line = min(line, self._last_line)
        return UserError(f"{self.file}:{line}: {problem}", "Correct this line.", code="manifest-syntax")

    def _read_stream(self) -> None:
        has_document = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if has_document:
                    raise self._syntax(_line(event), "a second document begins here")
                has_document = True
                self.value = self._read(next(self._events), ())

    def _read(self, event: yaml.Event, path: Path) -> Value:
        line = _line(event)
        before = self._count
        self._count += 1
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._syntax(line, f"*{event.anchor} names nothing above it")
            value, size = self._anchors[event.anchor]
            self._count += size
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif len(path) > _DEEPEST:
            raise self._syntax(line, "lists or tables lie too deep in each other")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if self._count > _MOST_VALUES:
            raise self._syntax(line, f"more than {_MOST_VALUES:,} values, aliases counted")
        anchor = getattr(event, "anchor", None)
        if anchor and not isinstance(event, yaml.AliasEvent):
            self._anchors[anchor] = (value, self._count - before)
        return value

    def _sequence(self, path: Path) -> list[Value]:
        items: list[Value] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._read(event, (*path, str(len(items)))))
        return items

    def _mapping(self, path: Path) -> dict[str, Value]:
        merged: dict[str, Value] = {}
        own: dict[str, Value] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._syntax(line, "a key that is no plain text")
            key = str(event.value)
            is_merge = key == "<<" and event.implicit[0]
            if key in own:
                raise self._syntax(line, f'"{key}" is there twice')
            self.lines[*path, key] = line
            value = self._read(next(self._events), (*path, key))
            if not is_merge:
                own[key] = value
                continue
            for part in value if isinstance(value, list) else [value]:
                if not isinstance(part, dict):
                    raise self._syntax(line, "`<<` merges something that is no table")
                merged = {**part, **merged}
        return {**merged, **own}


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _scalar(event: yaml.ScalarEvent) -> Value:
    text = str(event.value)
    if event.implicit[0]:
        tag = next((tag for tag, pattern in _PLAIN.items() if pattern.fullmatch(text)), "str")
    else:
        tag = (event.tag or "").removeprefix(_TAG)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if tag == "float":
        name = text.lower().lstrip("+-")
        if name in (".inf", ".nan"):
            return math.copysign(math.inf, -1 if text[0] == "-" else 1) if name == ".inf" else math.nan
        return float(text)
    return text
