"""How alike two pictures look: the structural similarity index.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13 (2004), doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

#: Of the paper: K1 = 0.01, K2 = 0.03, of 255 levels.
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
#: Windows of 8 by 8 pixels, side by side.
_WINDOW = 8
#: Rows that are held as fractions at once.
_STRIP = 64 * _WINDOW


def ssim(one: Image, other: Image) -> float:
    """Return the mean structural similarity of two RGBA pictures of one size, over their four channels.

    1: they are the same; about 0: nothing of one is in the other.
    """
    total = count = 0.0
    for left, right in zip(one.split(), other.split(), strict=True):
        for top in range(0, one.height, _STRIP):
            box = (0, top, one.width, min(top + _STRIP, one.height))
            found = _windows(left.crop(box), right.crop(box))
            total += sum(found)
            count += len(found)
    return total / count if count else 1.0


def _windows(left: Image, right: Image) -> list[float]:
    """The index of each window: formula 13 of the paper."""
    from array import array  # noqa: PLC0415

    from PIL import Image, ImageMath  # noqa: PLC0415  (60 ms, and an extra)

    grid = (-(-left.width // _WINDOW), -(-left.height // _WINDOW))

    def means(picture: Image.Image) -> array[float]:
        return array("f", picture.resize(grid, Image.Resampling.BOX).tobytes())

    def product(a: Image.Image, b: Image.Image) -> Image.Image:
        return ImageMath.lambda_eval(lambda given: given["a"] * given["b"], a=a, b=b)  # type: ignore[no-any-return]

    x, y = left.convert("F"), right.convert("F")
    rows = zip(
        means(x), means(y), means(product(x, x)), means(product(y, y)), means(product(x, y)), strict=True
    )
    found = []
    for mx, my, xx, yy, xy in rows:
        variances = max(0.0, xx - mx * mx) + max(0.0, yy - my * my)
        luminance = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
        found.append(luminance * (2 * (xy - mx * my) + _C2) / (variances + _C2))
    return found
