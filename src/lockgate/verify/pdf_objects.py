"""Where the objects of a PDF lie, and what a dictionary among them says (ISO 32000-1, 7.5).

References are tables (7.5.4) or streams (7.5.8), as Cairo, TeX and others write them; objects may lie in
streams of objects (7.5.7). Read is what Flate compresses, at most with the predictor that such files use;
the rest is said to be unreadable, never guessed. Pure.
"""

from __future__ import annotations

import re
import zlib
from itertools import pairwise

import msgspec

_OBJECT = re.compile(rb"\s*(\d{1,9})\s+\d{1,5}\s+obj\s*(?=<<)")
_DATA = re.compile(rb"\s*stream\r?\n")
_SUBSECTION = re.compile(rb"\s*(\d{1,9})[ ]+(\d{1,9})[ ]*\r?\n?")
_ENTRY = re.compile(rb"(\d{10}) \d{5} n(?: \r| \n|\r\n)")
_ENTRY_BYTES = 20
_FLATE = re.compile(rb"/Filter\s*(?:/FlateDecode|\[\s*/FlateDecode\s*\])")
_WIDTHS = re.compile(rb"/W\s*\[\s*(\d)\s+(\d)\s+(\d)\s*\]")
_INDEX = re.compile(rb"/Index\s*\[([\d\s]{1,100000})\]")
#: What bounds a dictionary, and what such marks may stand in: strings, in brackets or as digits
_TOKEN = re.compile(rb"\\.|[()]|<[0-9A-Fa-f\s]*>|<<|>>", re.DOTALL)
_BLANK = re.compile(rb"\s*(?=<<)")
#: Streams that become larger are not read, nor dictionaries, nor longer chains of updates.
_MOST_BYTES, _MOST_WORDS, _MOST_SECTIONS = 16_000_000, 1_000_000, 20
_PLAIN_ROW, _UP_ROW, _FIRST_PNG_PREDICTOR = 0, 2, 10
#: Kinds of entries in a stream of references (7.5.8.3, Table 18)
_AT_OFFSET, _IN_STREAM = 1, 2


class UnreadablePdfError(Exception):
    """The file is broken, or written in a way that is not read here."""


class Section(msgspec.Struct, frozen=True):
    """The references of one update."""

    trailer: bytes
    """What its dictionary says."""
    at: int
    """Where the subsections of a table begin."""
    rows: bytes | None
    """The entries of a stream; None: it is a table."""


class _Place(msgspec.Struct, frozen=True):
    at: int
    """The offset of the object; or the number of the stream of objects it is in."""
    nth: int | None = None
    """Which it is in that stream."""


def section_at(content: bytes, at: int) -> Section:
    """Return the references that lie there. Raises `UnreadablePdfError`."""
    if content[at : at + 4] == b"xref":
        trailer = content.find(b"trailer", at)
        start = content.find(b"<<", trailer)
        if trailer < 0 or start < 0:
            raise UnreadablePdfError
        return Section(_dictionary(content, start)[0], at + 4, None)
    _, words, end = _object_at(content, at)
    if b"/XRef" not in words:
        raise UnreadablePdfError
    return Section(words, at, _decoded(words, content, end))


def dictionary_of(content: bytes, at: int, number: int) -> bytes:
    """Return what stands in the dictionary of this number, by the references there and older ones.

    Raises `UnreadablePdfError`: there is none, too.
    """
    place = _place(content, at, number)
    if place.nth is None:
        found, words, _ = _object_at(content, place.at)
        if found != number:
            raise UnreadablePdfError
        return words
    held_at = _place(content, at, place.at)
    if held_at.nth is not None:
        raise UnreadablePdfError
    _, words, end = _object_at(content, held_at.at)
    if b"/ObjStm" not in words:
        raise UnreadablePdfError
    first = number_in(words, b"First")
    decoded = _decoded(words, content, end)
    # Pairs of numbers and offsets come before the first object
    pair = decoded[:first].split()[2 * place.nth : 2 * place.nth + 2]
    if len(pair) != 2 or not b"".join(pair).isdigit() or int(pair[0]) != number:
        raise UnreadablePdfError
    start = _BLANK.match(decoded, first + int(pair[1]))
    if start is None:
        raise UnreadablePdfError
    return _dictionary(decoded, start.end())[0]


def number_in(words: bytes, key: bytes, default: int | None = None) -> int:
    """Return a number that a dictionary has, else the default. Raises `UnreadablePdfError`: neither is."""
    found = re.search(rb"/" + key + rb"\s+(\d{1,12})\b(?!\s+\d+\s+R)", words)
    if found is not None:
        return int(found[1])
    if default is None:
        raise UnreadablePdfError
    return default


def _place(content: bytes, at: int, number: int) -> _Place:
    for _ in range(_MOST_SECTIONS):
        section = section_at(content, at)
        found = _in_table(content, section, number) if section.rows is None else _in_rows(section, number)
        if found is not None:
            return found
        at = number_in(section.trailer, b"Prev")
    raise UnreadablePdfError


def _in_table(content: bytes, section: Section, number: int) -> _Place | None:
    at = section.at
    while (head := _SUBSECTION.match(content, at)) is not None:
        start, count = int(head[1]), int(head[2])
        if start <= number < start + count:
            entry = _ENTRY.match(content, head.end() + _ENTRY_BYTES * (number - start))
            if entry is None:
                raise UnreadablePdfError
            return _Place(int(entry[1]))
        at = head.end() + _ENTRY_BYTES * count
    return None


def _in_rows(section: Section, number: int) -> _Place | None:
    rows, index = section.rows or b"", _INDEX.search(section.trailer)
    kind, first, second = _widths(section.trailer)
    spans = [int(word) for word in index[1].split()] if index else [0, number_in(section.trailer, b"Size")]
    row = 0
    for start, count in list(pairwise(spans))[::2]:
        if start <= number < start + count:
            at = (row + number - start) * (kind + first + second)
            entry = rows[at : at + kind + first + second]
            what = int.from_bytes(entry[:kind], "big") if kind else _AT_OFFSET
            one = int.from_bytes(entry[kind : kind + first], "big")
            if len(entry) != kind + first + second or what not in (_AT_OFFSET, _IN_STREAM):
                raise UnreadablePdfError
            return _Place(one, int.from_bytes(entry[kind + first :], "big") if what == _IN_STREAM else None)
        row += count
    return None


def _widths(words: bytes) -> tuple[int, int, int]:
    found = _WIDTHS.search(words)
    if found is None:
        raise UnreadablePdfError
    return int(found[1]), int(found[2]), int(found[3])


def _object_at(content: bytes, at: int) -> tuple[int, bytes, int]:
    """Return the number of an object, what its dictionary says, and where that ends."""
    head = _OBJECT.match(content, at)
    if head is None:
        raise UnreadablePdfError
    return int(head[1]), *_dictionary(content, head.end())


def _dictionary(content: bytes, at: int) -> tuple[bytes, int]:
    """Return what stands between the `<<` there and its `>>`, and where that ends."""
    depth = brackets = 0
    for token in _TOKEN.finditer(content, at, at + _MOST_WORDS):
        match token[0]:
            case b"(":
                brackets += 1
            case b")":
                brackets -= 1
            case b"<<" if not brackets:
                depth += 1
            case b">>" if not brackets:
                depth -= 1
                if not depth:
                    return content[at + 2 : token.start()], token.end()
    raise UnreadablePdfError


def _decoded(words: bytes, content: bytes, at: int) -> bytes:
    """Return what a stream holds whose dictionary ends there."""
    data = _DATA.match(content, at)
    if data is None:
        raise UnreadablePdfError
    if b"/Filter" not in words:
        held = content[data.end() : data.end() + number_in(words, b"Length")]
    else:
        if _FLATE.search(words) is None:
            raise UnreadablePdfError
        flate = zlib.decompressobj()
        try:
            # Its own end tells its length, which the dictionary may only refer to
            held = flate.decompress(memoryview(content)[data.end() :], _MOST_BYTES)
        except zlib.error:
            raise UnreadablePdfError from None
        if not flate.eof:
            raise UnreadablePdfError
    if number_in(words, b"Predictor", 1) == 1:
        return held
    if number_in(words, b"Predictor") < _FIRST_PNG_PREDICTOR or b"/Colors" in words:
        raise UnreadablePdfError
    return _unpredicted(held, number_in(words, b"Columns", 1))


def _unpredicted(held: bytes, columns: int) -> bytes:
    """Return rows without what predicts them: each byte as it is, or what is added to the one above it."""
    above, rows = bytes(columns), []
    for at in range(0, len(held), columns + 1):
        kind, row = held[at], held[at + 1 : at + 1 + columns]
        if kind not in (_PLAIN_ROW, _UP_ROW) or len(row) != columns:
            raise UnreadablePdfError
        above = row if kind == _PLAIN_ROW else bytes(a + b & 255 for a, b in zip(above, row, strict=True))
        rows.append(above)
    return b"".join(rows)
