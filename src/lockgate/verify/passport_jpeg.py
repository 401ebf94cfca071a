"""A passport in a JPEG: a comment segment (ITU-T T.81, B.1.1.4 and B.2.4.5). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

START = b"\xff\xd8\xff"
_KEYWORD = b"Lockgate\0"
_COMMENT, _SCAN, _END = 0xFE, 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APPLICATION = range(0xE0, 0xF0)
_FILL = re.compile(rb"\xff+(?=\xff)")
#: Behind the data of a scan: no stuffed byte, no restart, no fill
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
#: Several pictures in one file refer to each other by offsets (CIPA DC-007), which a comment would move.
_SEVERAL = b"MPF\0"
_MOST_SEGMENT_BYTES = 65_533
_MOST_SEGMENTS = 20_000


class _Segment(msgspec.Struct, frozen=True):
    kind: int
    start: int
    end: int
    data: bytes


def put(content: bytes, text: bytes) -> bytes | None:
    """Return the JPEG with a text in a comment behind what describes it; None: it is broken, or several."""
    at, kinds, last = len(START) - 1, set[int](), None
    for segment in _segments(content):
        last = segment.kind
        kinds.add(last)
        if _SCAN in kinds:
            continue
        if segment.kind in _APPLICATION and segment.data.startswith(_SEVERAL):
            return None
        if segment.kind == _COMMENT or segment.kind in _APPLICATION:
            at = segment.end
    is_whole = bool(_FRAMES & kinds) and _SCAN in kinds and last == _END
    said = _KEYWORD + text
    if not is_whole or len(said) > _MOST_SEGMENT_BYTES:
        return None
    comment = bytes((0xFF, _COMMENT)) + (len(said) + 2).to_bytes(2, "big") + said
    return content[:at] + comment + content[at:]


def said_in(content: bytes) -> bytes | None:
    """Return the text put in last; None: there is none."""
    found = _last(content)
    return None if found is None else found.data[len(_KEYWORD) :]


def without(content: bytes) -> bytes:
    """Return the JPEG as it was before a text was put in; as it is, where there is none."""
    found = _last(content)
    return content if found is None else content[: found.start] + content[found.end :]


def _last(content: bytes) -> _Segment | None:
    last = None
    for segment in _segments(content):
        if segment.kind == _SCAN:
            break
        if segment.kind == _COMMENT and segment.data.startswith(_KEYWORD):
            last = segment
    return last


def _segments(content: bytes) -> Iterator[_Segment]:
    """Yield the segments up to the end of the picture, each with the scan behind it left out."""
    at = len(START) - 1
    for _ in range(_MOST_SEGMENTS):
        fill = _FILL.match(content, at)
        at = at if fill is None else fill.end()
        if len(content) < at + 2 or content[at] != 0xFF:
            return
        kind = content[at + 1]
        if kind == _END:
            yield _Segment(kind, at, at + 2, b"")
            return
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(content):
            return
        yield _Segment(kind, at, end, content[at + 4 : end])
        if kind == _SCAN:
            behind = _NEXT.search(content, end)
            if behind is None:
                return
            end = behind.start()
        at = end
