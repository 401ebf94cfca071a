"""A passport in a PDF: an incremental update with a new document information dictionary.

See ISO 32000-1, 7.5.6 and 14.3.3. What is written for a file and a text is never written otherwise: that is
how a copy proves to differ by its passport alone. Pure.
"""

from __future__ import annotations

import re
import struct

from lockgate.verify.pdf_objects import Section, UnreadablePdfError, dictionary_of, number_in, section_at

_MARK = b"\n%Lockgate passport\n"
_SAYS = re.compile(rb"/LockgatePassport <((?:[0-9a-f]{2}){1,20000})>")
_STARTXREF = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF\s*\Z")
_ROOT, _ID = re.compile(rb"/Root\s+(\d+\s+\d+\s+R)"), re.compile(rb"/ID\s*(\[[^\]]{0,300}\])")
_INFO = re.compile(rb"/Info\s+(\d{1,9})\s+\d{1,5}\s+R")


def put(content: bytes, text: bytes) -> bytes | None:
    """Return the PDF with a text in its information dictionary, beside what that says.

    None: it is encrypted, no whole PDF, or what it refers to cannot be read.
    """
    end = _STARTXREF.search(content[-2000:])
    if end is None:
        return None
    try:
        section = section_at(content, int(end[1]))
        number, entries = number_in(section.trailer, b"Size"), _entries(content, section, int(end[1]))
    except UnreadablePdfError:
        return None
    root = _ROOT.search(section.trailer)
    if root is None or b"/Encrypt" in section.trailer:
        return None
    start = len(content) + len(_MARK)
    body = b"%d 0 obj\n<<\n%s/LockgatePassport <%s>\n>>\nendobj\n" % (number, entries, text.hex().encode())
    same, at = _ID.search(section.trailer), start + len(body)
    words = [b"/Root " + root[1], b"/Info %d 0 R" % number, b"/Prev " + end[1]]
    said = b" ".join([*words, b"/ID " + same[1]] if same else words)
    update = (_table if section.rows is None else _stream)(number, said, start, at)
    return b"".join((content, _MARK, body, update, b"startxref\n%d\n%%%%EOF\n" % at))


def said_in(content: bytes) -> bytes | None:
    """Return the text put in last; None: there is none."""
    found = _SAYS.findall(content)
    return bytes.fromhex(found[-1].decode()) if found else None


def without(content: bytes) -> bytes:
    """Return the PDF as it was before a text was put in, if it then got that alone; else as it is.

    An update can draw each page anew: what comes after the mark must be what is written here, to the byte.
    """
    text, mark = said_in(content), content.rfind(_MARK)
    if text is None or mark < 0:
        return content
    before = content[:mark]
    return before if put(before, text) == content else content


def _entries(content: bytes, section: Section, at: int) -> bytes:
    """Return what the information dictionary says so far, without a passport of before."""
    named = _INFO.search(section.trailer)
    entries = _SAYS.sub(b"", dictionary_of(content, at, int(named[1]))).strip() if named else b""
    return entries + b"\n" if entries else b""


def _table(number: int, said: bytes, start: int, at: int) -> bytes:
    """References as a table, of one object that begins at `start`."""
    return b"xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size %d %s >>\n" % (number, start, number + 1, said)


def _stream(number: int, said: bytes, start: int, at: int) -> bytes:
    """References as a stream, at `at`, of one object that begins at `start`, and of the stream itself."""
    rows = struct.pack(">BQHBQH", 1, start, 0, 1, at, 0)
    words = b"/Type /XRef /Size %d /W [1 8 2] /Index [%d 2] %s" % (number + 2, number, said)
    return b"%d 0 obj\n<< %s /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (
        number + 1, words, len(rows), rows,
    )  # fmt: skip
