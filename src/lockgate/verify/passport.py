"""The passport of a figure: which run made it, in the metadata of a copy of it.

It is put into copies and taken out again, byte for byte: what a run made stays as it is, with its digest.
PNG: a chunk `iTXt` before the last (https://www.w3.org/TR/png-3/, 11.3.3.4). SVG: an element `metadata` at
the end (https://www.w3.org/TR/SVG2/struct.html). PDF and JPEG: see there. Where there are several, the last
counts, and the others are a part of what a run made. Pure.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterator

import msgspec

from lockgate.verify import passport_jpeg, passport_pdf

ENDINGS = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
#: Larger files are handed out as they are.
MOST_BYTES = 50_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"Lockgate"
_PDF = b"%PDF-"
_SVG = re.compile(rb'<metadata id="lockgate-passport">[^<]{1,40000}</metadata>')
#: As other programs write it anew.
_SVG_SAYS = re.compile(
    rb'<metadata\b[^<>]{0,400}\bid="lockgate-passport"[^<>]{0,400}>([^<]{1,40000})</metadata>'
)
_SVG_END = b"</svg>"


class Passport(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy says of itself. `md5`: of what the run made, without the passport."""

    project: str
    run: str
    stage: str
    path: str
    md5: str


_decode = msgspec.json.Decoder(Passport).decode


def stamped(content: bytes, passport: Passport) -> bytes | None:
    """Return a copy that carries the passport; None: it is no figure that can carry one."""
    if len(content) > MOST_BYTES:
        return None
    text = msgspec.json.encode(passport)
    if content.startswith(_PNG):
        return _stamped_png(content, text)
    if content.startswith(_PDF):
        return passport_pdf.put(content, text)
    if content.startswith(passport_jpeg.START):
        return passport_jpeg.put(content, text)
    if _SVG_END in content and b"<svg" in content[:4000]:
        # Latin letters of JSON stay as they are in any encoding that has `</svg>` as these bytes
        at = content.rindex(_SVG_END)
        said = _escaped(text)
        return content[:at] + b'<metadata id="lockgate-passport">' + said + b"</metadata>" + content[at:]
    return None


def read_passport(content: bytes) -> Passport | None:
    """Return what a copy says of itself; None: nothing. It is a claim until the digest proves it."""
    try:
        said = _said_in(content)
        return _decode(said) if said is not None else None
    except (msgspec.DecodeError, ValueError):
        return None


def without_passport(content: bytes) -> bytes:
    """Return the content as it was before it was given a passport; as it is, where it has none."""
    if content.startswith(_PNG):
        chunks = _chunks(content)
        ours = [(start, end) for kind, data, start, end in chunks if kind == b"iTXt" and _is_ours(data)]
        return _cut(content, *ours[-1]) if ours else content
    if content.startswith(_PDF):
        return passport_pdf.without(content)
    if content.startswith(passport_jpeg.START):
        return passport_jpeg.without(content)
    found = _last(_SVG, content)
    return content if found is None else _cut(content, *found.span())


def _said_in(content: bytes) -> bytes | None:
    if content.startswith(_PNG):
        texts = [
            data for kind, data, _, _ in _chunks(content) if kind in (b"iTXt", b"tEXt") and _is_ours(data)
        ]
        return texts[-1][texts[-1].index(b"{") :] if texts else None
    if content.startswith(_PDF):
        return passport_pdf.said_in(content)
    if content.startswith(passport_jpeg.START):
        return passport_jpeg.said_in(content)
    found = _last(_SVG_SAYS, content)
    return None if found is None else _unescaped(found[1])


def _is_ours(data: bytes) -> bool:
    return data.startswith(_KEYWORD + b"\0")


def _last(pattern: re.Pattern[bytes], content: bytes) -> re.Match[bytes] | None:
    found = None
    for found in pattern.finditer(content):  # noqa: B007 - the last is what is asked for
        pass
    return found


def _cut(content: bytes, start: int, end: int) -> bytes:
    return content[:start] + content[end:]


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield the chunks of a PNG: type, data, where each begins and ends."""
    at = len(_PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        end = at + 12 + length
        if end > len(content):
            return
        yield content[at + 4 : at + 8], content[at + 8 : end - 4], at, end
        at = end


def _stamped_png(content: bytes, text: bytes) -> bytes | None:
    last = next((start for kind, _, start, _ in _chunks(content) if kind == b"IEND"), None)
    if last is None:
        return None
    # Keyword, not compressed, no language, no translated keyword, UTF-8
    data = b"iTXt" + _KEYWORD + b"\0\0\0\0\0" + text
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", binascii.crc32(data))
    return content[:last] + chunk + content[last:]


def _escaped(text: bytes) -> bytes:
    plain = text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return plain.decode("utf-8").encode("ascii", "xmlcharrefreplace")


def _unescaped(said: bytes) -> bytes:
    text = re.sub(r"&#(\d{1,7});", lambda found: chr(int(found[1])), said.decode("ascii", "replace"))
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    return plain.encode("utf-8", "replace")
