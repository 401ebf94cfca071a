"""How a picture looks, in few bytes: the same for one that was scaled, saved anew or shot from a screen,
another for another one.

What is around the drawing does not count: only the box is looked at in which something is drawn, so that
a margin that was cut off, or a frame that came around it, changes nothing. Two looks at that box. The form
is 64 bits, after the "difference hash": whether a cell of a coarse grid is darker than its neighbour, where
"clearly" makes up for the noise of JPEG in plain areas. The grid is finer, levels of grey around the ground,
and decides. Plots are mostly plain, so differences are told by how much is drawn.
"""

from __future__ import annotations

import io
from array import array
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from PIL.Image import Image

#: A picture with more pixels than this is not opened: some are made to fill a memory.
MOST_PIXELS = 40_000_000
MOST_BYTES = 30_000_000
#: Sides of the grid of grey values.
SIDE = 32
#: Up to here two pictures are said to be alike. Plots saved as JPEG or at half the size are below 0.12,
#: others with the same axes above 0.4.
LIKE = 0.33
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
#: Alike pictures differ in one or two bits of their forms; where a part of the drawing was cut off, in more.
NEAR_FORMS = 8
_CLEARLY = 6
#: So many levels from the ground something is drawn.
_DRAWN = 64
#: A page around a picture has margins: what is cut away after the first time is at least this share of
#: a side, else it is the frame of a plot.
_MARGIN = 0.03
_TRIMS = 3
#: What is drawn in less of a side than this is no picture with a margin.
_LEAST_SHARE = 0.25
_GROUND = 128
_MEAN = 25
#: A picture whose cells differ less than this is a plain area.
_LEAST = 0.05
_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


class Look(msgspec.Struct, frozen=True):
    """What is kept of a picture. `form` is a signed number of 64 bits."""

    form: int
    grid: bytes


def looks_like_picture(content: bytes) -> bool:
    """Return whether bytes begin as a picture that can be looked at does."""
    return content.startswith(_BEGINNINGS)


def look_at(content: bytes) -> Look | None:
    """Return how a picture looks; None for what is none, is damaged, or is larger than is opened."""
    if len(content) > MOST_BYTES or not looks_like_picture(content):
        return None
    from PIL import Image as pillow  # noqa: N813, PLC0415  (60 ms, only where there is a picture)

    try:
        with pillow.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS or width < 4 or height < 4:
                return None
            # JPEG is decoded small at once; all others are bounded by their pixels
            opened.draft("L", (8 * SIDE, 8 * SIDE))
            opened.load()
            picture: Image = opened
            if opened.mode in ("P", "PA", "LA", "RGBA", "RGBa", "La") or "transparency" in opened.info:
                picture = _on_white(opened.convert("RGBA"))
            # The mean of each cell, in fractions: lines are thin, and their cells nearly as light as others
            grey = _drawn(picture.convert("L")).convert("F")
            grid = _levels(grey.resize((SIDE, SIDE), pillow.Resampling.BILINEAR))
            cells = _levels(grey.resize((9, 8), pillow.Resampling.BOX))
    except Exception:  # noqa: BLE001  (Pillow raises what its many readers raise, SyntaxError and struct.error too)
        return None
    return Look(_form(cells), grid)


def distance(one: Look, other: Look) -> float:
    """Return how different two pictures look: 0 not at all, 1: half of what there is to see differs."""
    drawn = differing = 0
    for ours, theirs in zip(one.grid, other.grid, strict=True):
        differing += abs(ours - theirs)
        drawn += abs(ours - _GROUND) + abs(theirs - _GROUND)
    return round(2 * differing / drawn, 4) if drawn else 0.0


def _drawn(grey: Image) -> Image:
    """Cut away what is around the drawing: the ground is what most of the edge is like."""
    for number in range(_TRIMS):
        width, height = grey.size
        edges = (
            (0, 0, width, 1),
            (0, height - 1, width, height),
            (0, 0, 1, height),
            (width - 1, 0, width, height),
        )
        edge = sorted(level for box in edges for level in grey.crop(box).tobytes())
        ground = edge[len(edge) // 2]
        found = grey.point([255 * (abs(level - ground) > _DRAWN) for level in range(256)]).getbbox()
        if found is None or found == (0, 0, width, height):
            break
        if found[2] - found[0] < width * _LEAST_SHARE or found[3] - found[1] < height * _LEAST_SHARE:
            break
        margins = (found[0] / width, found[1] / height, 1 - found[2] / width, 1 - found[3] / height)
        if number and max(margins) < _MARGIN:
            break
        grey = grey.crop(found)
    return grey


def _levels(grid: Image) -> bytes:
    """Return each cell's distance from the ground, 128; the mean one is `_MEAN`, of faint drawings too."""
    values = array("f", grid.tobytes())
    ground = sorted(values)[len(values) // 2]
    mean = sum(abs(value - ground) for value in values) / len(values)
    scale = _MEAN / mean if mean > _LEAST else 0.0
    return bytes(max(0, min(255, round(_GROUND + (value - ground) * scale))) for value in values)


def _form(cells: bytes) -> int:
    bits = 0
    for row in range(8):
        for column in range(8):
            at = row * 9 + column
            bits = bits << 1 | (cells[at] > cells[at + 1] + _CLEARLY)
    return bits - (1 << 64) if bits >> 63 else bits


def form_distance(one: int, other: int) -> int:
    """Return how many of the 64 bits differ."""
    return ((one ^ other) & ((1 << 64) - 1)).bit_count()


def _on_white(picture: Image) -> Image:
    from PIL import Image as pillow  # noqa: N813, PLC0415

    return pillow.alpha_composite(pillow.new("RGBA", picture.size, "white"), picture)
