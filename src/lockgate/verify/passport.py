"""The passport of a figure: which run made it, in the metadata of a copy of it.

It is put into copies and taken out again, byte for byte: what a run made stays as it is, with its digest.
PNG: a chunk `iTXt` before the last (https://www.w3.org/TR/png-3/, 11.3.3.4). SVG: an element `metadata` at
the end (https://www.w3.org/TR/SVG2/struct.html). PDF: an incremental update with a new document information
dictionary (ISO 32000-1, 7.5.6 and 14.3.3). Pure.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterator

import msgspec

ENDINGS = (".png", ".svg", ".pdf")
#: Larger files are handed out as they are.
MOST_BYTES = 50_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"Lockgate"
_SVG = re.compile(rb'<metadata id="lockgate-passport">([^<]{1,4000})</metadata>')
#: As other programs write it anew.
_SVG_SAYS = re.compile(rb'<metadata\b[^>]*\bid="lockgate-passport"[^>]*>([^<]{1,4000})</metadata>')
_SVG_END = b"</svg>"
_PDF_MARK = b"\n%Lockgate passport\n"
_PDF_SAYS = re.compile(rb"/LockgatePassport <([0-9a-f]{2,8000})>")
_STARTXREF = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF\s*\Z")
_ROOT, _SIZE = re.compile(rb"/Root\s+(\d+\s+\d+\s+R)"), re.compile(rb"/Size\s+(\d+)")
_INFO, _ID = re.compile(rb"/Info\s+(\d+)\s+(\d+)\s+R"), re.compile(rb"/ID\s*(\[[^\]]{0,300}\])")


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
    if content.startswith(b"%PDF-"):
        return _stamped_pdf(content, text)
    if _SVG_END in content and b"<svg" in content[:4000]:
        # Latin letters of JSON stay as they are in any encoding that has `</svg>` as these bytes
        at = content.rindex(_SVG_END)
        said = _escaped(text)
        return content[:at] + b'<metadata id="lockgate-passport">' + said + b"</metadata>" + content[at:]
    return None


def read_passport(content: bytes) -> Passport | None:
    """Return what a copy says of itself; None: nothing. It is a claim until the digest proves it."""
    try:
        if content.startswith(_PNG):
            texts = (data for kind, data, _, _ in _chunks(content) if kind in (b"iTXt", b"tEXt"))
            said = next((data for data in texts if data.startswith(_KEYWORD + b"\0")), b"")
            return _decode(said[said.index(b"{") :]) if said else None
        if content.startswith(b"%PDF-"):
            found = _PDF_SAYS.findall(content)
            return _decode(bytes.fromhex(found[-1].decode())) if found else None
        marked = _SVG_SAYS.search(content)
        return _decode(_unescaped(marked[1])) if marked else None
    except (msgspec.DecodeError, ValueError):
        return None


def without_passport(content: bytes) -> bytes:
    """Return the content as it was before it was given a passport; as it is, where it has none."""
    if content.startswith(_PNG):
        for kind, data, start, end in _chunks(content):
            if kind == b"iTXt" and data.startswith(_KEYWORD + b"\0"):
                return content[:start] + content[end:]
        return content
    if content.startswith(b"%PDF-"):
        return content[: content.rindex(_PDF_MARK)] if _PDF_MARK in content else content
    return _SVG.sub(b"", content)


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


def _stamped_pdf(content: bytes, text: bytes) -> bytes | None:
    """Add a document information dictionary with the old one's entries.

    None: the references are in a stream (7.5.8), the file is encrypted, or no whole PDF.
    """
    end = _STARTXREF.search(content[-2000:])
    if end is None:
        return None
    table = int(end[1])
    if content[table : table + 4] != b"xref":
        return None
    trailer = content[content.find(b"trailer", table) :]
    root, size = _ROOT.search(trailer), _SIZE.search(trailer)
    if root is None or size is None or b"/Encrypt" in trailer:
        return None
    entries, info = b"", _INFO.search(trailer)
    if info is not None:
        pattern = rb"(?<!\d)" + info[1] + rb"\s+" + info[2] + rb"\s+obj\s*<<(.*?)>>\s*endobj"
        objects = re.findall(pattern, content, re.DOTALL)
        if not objects:
            return None
        entries = objects[-1].strip() + b"\n"
    number, start = int(size[1]), len(content) + len(_PDF_MARK)
    body = b"%d 0 obj\n<<\n%s/LockgatePassport <%s>\n>>\nendobj\n" % (number, entries, text.hex().encode())
    same = _ID.search(trailer)
    words = [b"/Size %d" % (number + 1), b"/Root " + root[1], b"/Info %d 0 R" % number, b"/Prev %d" % table]
    words += [b"/ID " + same[1]] if same else []
    return b"".join(
        (
            content, _PDF_MARK, body, b"xref\n%d 1\n%010d 00000 n \n" % (number, start),
            b"trailer\n<< " + b" ".join(words) + b" >>\n",
            b"startxref\n%d\n%%%%EOF\n" % (start + len(body)),
        )
    )  # fmt: skip
