"""A job's output as stretches of text, one style each; what else a terminal would obey is left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

#: CSI with its letter, OSC up to its end, and the two-byte escapes (ECMA-48, 5.3 and 5.4).
_ESCAPE = re.compile(
    r"\x1b\[(?P<codes>[0-9;:?<=>]*)[ -/]*(?P<letter>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Style(msgspec.Struct, frozen=True):
    colour: int | None = None
    is_bold: bool = False
    is_dim: bool = False
    is_italic: bool = False
    is_underlined: bool = False

    @property
    def classes(self) -> str:
        words = [
            f"f{self.colour}" if self.colour is not None else "",
            "b" if self.is_bold else "",
            "d" if self.is_dim else "",
            "i" if self.is_italic else "",
            "u" if self.is_underlined else "",
        ]
        return " ".join(word for word in words if word)


_PLAIN = _Style()


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """`style`: words for its look, as `f1 b`: `f` and a colour of ECMA-48, bold, dim, italic, underlined."""

    style: str
    text: str


def stretches_of(content: bytes) -> Iterator[Stretch]:
    """Yield output as a person sees it in a terminal: of a line written over and over only its last form."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    shown = "\n".join(_last_form(line) for line in text.split("\n"))
    return _runs(shown)


def _last_form(line: str) -> str:
    """What is left of a line after its carriage returns, the colours set before them kept."""
    if "\r" not in line:
        return line
    pieces = [piece for piece in line.split("\r") if piece]
    if not pieces:
        return ""
    before = "".join(match.group() for piece in pieces[:-1] for match in _ESCAPE.finditer(piece))
    return before + pieces[-1]


def _runs(text: str) -> Iterator[Stretch]:
    style, at = _PLAIN, 0
    for match in _ESCAPE.finditer(text):
        run = _CONTROL.sub("", text[at : match.start()])
        if run:
            yield Stretch(style.classes, run)
        at = match.end()
        if match["letter"] == "m":
            style = _after(style, match["codes"])
    run = _CONTROL.sub("", text[at:])
    if run:
        yield Stretch(style.classes, run)


def _after(style: _Style, codes: str) -> _Style:
    """Return the style after a Select Graphic Rendition (ECMA-48, 8.3.117; 38 and 48 as xterm has them)."""
    numbers = [int(code) if code.isdigit() else 0 for code in codes.replace(":", ";").split(";")][:32]
    at = 0
    while at < len(numbers):
        code = numbers[at]
        if code in (38, 48):
            at += 3 if numbers[at + 1 : at + 2] == [5] else 5
            continue
        style = _one(style, code)
        at += 1
    return style


def _one(style: _Style, code: int) -> _Style:
    replace = msgspec.structs.replace
    if code == 0:
        return _PLAIN
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(style, colour=code % 10)
    changes: dict[int, dict[str, object]] = {
        1: {"is_bold": True},
        2: {"is_dim": True},
        3: {"is_italic": True},
        4: {"is_underlined": True},
        22: {"is_bold": False, "is_dim": False},
        23: {"is_italic": False},
        24: {"is_underlined": False},
        39: {"colour": None},
    }
    return replace(style, **changes[code]) if code in changes else style
