"""Two pictures as a third one that shows where they differ."""

from __future__ import annotations

import io

#: Larger pictures are not drawn: this one is for a page.
MOST_PIXELS = 20_000_000
#: A pixel that differs; on the first picture in pale grey it is seen by the colour-blind too.
_MARK = (190, 24, 93)
_PALE = 90


def draw_difference(left: bytes, right: bytes) -> bytes | None:
    """Return a PNG of the first picture in pale grey, with each pixel that differs marked.

    None: one cannot be opened, is too large, or they differ in size.
    """
    from PIL import Image, ImageChops  # noqa: PLC0415  (60 ms, and an extra)

    try:
        with Image.open(io.BytesIO(left)) as ours, Image.open(io.BytesIO(right)) as theirs:
            if ours.size != theirs.size or ours.width * ours.height > MOST_PIXELS:
                return None
            one, other = ours.convert("RGBA"), theirs.convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError):
        return None
    difference = ImageChops.difference(one, other)
    deepest = difference.getchannel(0)
    for channel in (1, 2, 3):
        deepest = ImageChops.lighter(deepest, difference.getchannel(channel))
    ground = Image.alpha_composite(Image.new("RGBA", one.size, "white"), one).convert("L")
    pale = ground.point([255 - (255 - level) * _PALE // 255 for level in range(256)]).convert("RGB")
    pale.paste(_MARK, mask=deepest.point([0] + [255] * 255))
    drawn = io.BytesIO()
    pale.save(drawn, "PNG", compress_level=6)
    return drawn.getvalue()
