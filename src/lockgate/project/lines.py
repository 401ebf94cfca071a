"""Which line of a TOML text a key is written on. Only read when there is something to say about it."""

from __future__ import annotations

import re

from lockgate.errors import UserError

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[^\s=.\[\]{},#\"']+")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
_DEEPEST = 100


def locate(text: str, path: tuple[str, ...]) -> int:
    """Return the 1-based line where the key `path` is written, as `("stages", "train", "needs")`.

    Dotted, quoted and inline keys are understood; an item of a list is named by its position, counted from
    0: `("stages", "train", "needs", "2")`. A key that is not there gives the line of the nearest table
    around it that is, 1 when there is none. Any text is taken, also one that is no TOML.
    """
    scanner = _Scanner(text, path)
    scanner.scan()
    return text.count("\n", 0, scanner.found_at) + 1


def error_at(
    file: str,
    text: str,
    path: tuple[str, ...],
    message: str,
    hint: str,
    *,
    code: str,
    line: int | None = None,
) -> UserError:
    """Return the error `FILE:LINE: message` for the key `path` of this TOML text, or for a known line."""
    where = locate(text, path) if line is None else line
    return UserError(f"{file}:{where}: {message}", hint, code=code)


class _Scanner:
    """One pass over the text; remembers where the longest part of the wanted path was seen first."""

    def __init__(self, text: str, wanted: tuple[str, ...]) -> None:
        self.text = text
        self.wanted = wanted
        self.at = 0
        self.found_at = 0
        self.found_length = 0
        self.array_tables: dict[tuple[str, ...], int] = {}

    def scan(self) -> None:
        table: tuple[str, ...] = ()
        while self.skip(_GAP) and self.at < len(self.text) and self.found_length < len(self.wanted):
            start = self.at
            if self.text[start] == "[":
                table = self.header(start)
                self.seen(table, start)
            else:
                self.key_and_value(table, 0)
            if self.at == start:
                self.to_line_end()

    def skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return True

    def to_line_end(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1

    def seen(self, path: tuple[str, ...], at: int) -> None:
        common = 0
        for have, want in zip(path, self.wanted, strict=False):
            if have != want:
                break
            common += 1
        if common > self.found_length:
            self.found_length, self.found_at = common, at

    def header(self, start: int) -> tuple[str, ...]:
        is_array = self.text.startswith("[[", start)
        self.at = start + (2 if is_array else 1)
        path = self.key()
        if is_array:
            number = self.array_tables.get(path, 0)
            self.array_tables[path] = number + 1
            path = (*path, str(number))
        self.to_line_end()
        return path

    def key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            self.skip(_BLANK)
            found = _STRING.match(self.text, self.at) or _BARE_KEY.match(self.text, self.at)
            if not found:
                break
            parts.append(_unquote(found.group()))
            self.at = found.end()
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return tuple(parts)

    def key_and_value(self, table: tuple[str, ...], depth: int) -> None:
        start = self.at
        path = table + self.key()
        self.seen(path, start)
        self.skip(_BLANK)
        if self.text.startswith("=", self.at):
            self.at += 1
            self.skip(_BLANK)
            self.value(path, depth)

    def value(self, path: tuple[str, ...], depth: int) -> None:
        opener = self.text[self.at : self.at + 1]
        if opener in ("[", "{") and depth < _DEEPEST:
            self.at += 1
            self.items(path, opener, depth + 1)
            return
        found = _STRING.match(self.text, self.at) or _PLAIN_VALUE.match(self.text, self.at)
        if found:
            self.at = found.end()

    def items(self, path: tuple[str, ...], opener: str, depth: int) -> None:
        closer = "]" if opener == "[" else "}"
        number = 0
        while self.skip(_GAP) and self.at < len(self.text):
            start = self.at
            if self.text[start] == closer:
                self.at += 1
                return
            if self.text[start] == ",":
                self.at += 1
                number += 1
            elif opener == "{":
                self.key_and_value(path, depth)
            else:
                item = (*path, str(number))
                self.seen(item, start)
                self.value(item, depth)
            if self.at == start:
                self.at += 1


def _unquote(key: str) -> str:
    if key.startswith('"'):
        return _ESCAPE.sub(_unescape, key[1:-1])
    return key[1:-1] if key.startswith("'") else key


def _unescape(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits:
        number = int(digits, 16)
        return chr(number) if number < 0x110000 else "?"
    return _ESCAPED.get(found[4], found[4])
