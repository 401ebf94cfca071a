"""Two figures: the pixels of pictures, the drawing of SVG, the bytes of PDF without its dates."""

from __future__ import annotations

import io
import math
import re
from xml.etree import ElementTree

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import agree_in_text, few
from lockgate.verify.report import Compared
from lockgate.verify.similarity import ssim

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
#: A picture with more pixels is not opened: some are made to fill a memory.
MOST_PIXELS = 60_000_000
#: So many grey levels apart a pixel is another one to the eye, as it is told beside the count.
_SEEN = 8
#: Of XMP too; PDF 32000-1, 14.3.3 and 14.4.
_PDF_VOLATILE = re.compile(
    rb"/(?:CreationDate|ModDate)\s*\([^)]{0,100}\)|/ID\s*\[[^\]]{0,300}\]"
    rb"|<(xmp:CreateDate|xmp:ModifyDate|xmp:MetadataDate|xmpMM:DocumentID|xmpMM:InstanceID)>[^<]{0,100}</\1>"
)
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")


def compare_pictures(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    """Compare two pictures by their pixels; None: one cannot be opened.

    `allowed.tolerance`: the share of pixels that may differ visibly; `allowed.ssim`: how alike they have to
    look, which decides where it is given.
    """
    try:
        from PIL import Image, ImageChops  # noqa: PLC0415  (60 ms, and an extra)
    except ImportError:
        return None
    try:
        with Image.open(io.BytesIO(left)) as ours, Image.open(io.BytesIO(right)) as theirs:
            if ours.size != theirs.size:
                return Compared("differs", f"{_size(ours.size)} pixels, and {_size(theirs.size)}")
            count = ours.size[0] * ours.size[1]
            if count > MOST_PIXELS or not count:
                return None
            one, other = ours.convert("RGBA"), theirs.convert("RGBA")
            difference = ImageChops.difference(one, other)
            deepest = difference.getchannel(0)
            for channel in (1, 2, 3):
                deepest = ImageChops.lighter(deepest, difference.getchannel(channel))
            histogram = deepest.histogram()
            alike = ssim(one, other) if allowed.ssim is not None and histogram[0] < count else 1.0
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError):
        return None
    differing, seen = count - histogram[0], sum(histogram[_SEEN:])
    if not differing:
        return Compared("within-tolerance", "the same pixels")
    words = f"{differing:,} of {count:,} pixels, {seen:,} visibly"
    if allowed.ssim is not None:
        words += f", SSIM {math.floor(alike * 10_000) / 10_000}"
        return Compared("within-tolerance" if alike >= allowed.ssim else "differs", words)
    return Compared("within-tolerance" if seen <= allowed.tolerance * count else "differs", words)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def compare_svg(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    """Compare what two SVGs draw: ids, comments and metadata do not count; None: one is no XML."""
    ours, theirs = _drawing(left), _drawing(right)
    if ours is None or theirs is None:
        return None
    if len(ours) != len(theirs):
        return Compared("differs", f"{len(ours):,} elements, and {len(theirs):,}")
    told = [
        f"element {number:,} ({one.partition(' ')[0]})"
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1)
        if not agree_in_text(one, other, allowed.tolerance)
    ]
    return Compared("differs", few(told)) if told else Compared("within-tolerance", "the same drawing")


def _drawing(content: bytes) -> list[str] | None:
    """One line an element, in document order; ids are numbered as they come."""
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return None
    ids: dict[str, str] = {}
    lines: list[str] = []
    pending = [root]
    while pending:
        element = pending.pop()
        tag = str(element.tag).rpartition("}")[2]
        if tag == "metadata":
            continue
        pending.extend(reversed(element))
        words = [
            f"{name.rpartition('}')[2]}={_renamed(value, ids)}"
            for name, value in sorted(element.attrib.items())
            if name != "id"
        ]
        text = " ".join((element.text or "").split())
        lines.append(f"{tag} {' '.join(words)} {text} {' '.join((element.tail or '').split())}")
    return lines


def _renamed(value: str, ids: dict[str, str]) -> str:
    def number(found: re.Match[str]) -> str:
        return f"#{ids.setdefault(found[1] or found[2], str(len(ids)))}"

    return _REFERENCE.sub(number, value)


def compare_pdf(left: bytes, right: bytes) -> Compared | None:
    """Compare two PDFs without their dates and ids; None: they differ otherwise too."""
    if _PDF_VOLATILE.sub(b"", left) == _PDF_VOLATILE.sub(b"", right):
        return Compared("within-tolerance", "but for dates and ids")
    return None
