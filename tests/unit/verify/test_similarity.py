"""The structural similarity of pictures, beside its formula written down with NumPy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lockgate.project.pipeline import Allowance
from lockgate.verify.compare import compare
from lockgate.verify.similarity import ssim


def by_formula(left: np.ndarray, right: np.ndarray) -> float:
    """Wang et al. 2004, formula 13, over windows of 8 by 8 that lie side by side."""
    c1, c2 = 6.5025, 58.5225
    found = []
    for channel in range(left.shape[2]):
        for top in range(0, left.shape[0], 8):
            for side in range(0, left.shape[1], 8):
                x, y = (each[top : top + 8, side : side + 8, channel].astype(float) for each in (left, right))
                covariance = ((x - x.mean()) * (y - y.mean())).mean()
                found.append(
                    (2 * x.mean() * y.mean() + c1)
                    * (2 * covariance + c2)
                    / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (x.var() + y.var() + c2))
                )
    return float(np.mean(found))


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (528, 48, 4), dtype=np.uint8)


@pytest.mark.parametrize("noise", [0, 3, 40])
def test_it_is_what_the_paper_says(noise: int) -> None:
    left = pixels(1)
    right = np.clip(left.astype(int) + (pixels(2).astype(int) - 128) * noise // 128, 0, 255).astype(np.uint8)
    found = ssim(Image.fromarray(left, "RGBA"), Image.fromarray(right, "RGBA"))
    assert found == pytest.approx(by_formula(left, right), abs=1e-3)
    assert (found > 0.9999) == (noise == 0)


def png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def test_a_project_may_say_how_alike_pictures_have_to_be() -> None:
    left = np.full((80, 80, 3), 255, dtype=np.uint8)
    left[20:60, 20:60] = 30
    soft, other = left.copy(), left.copy()
    soft[left == 30] = 34
    other[20:60, 20:60] = 255
    allowed = Allowance("*", ssim=0.99)
    found = compare(png(left), png(soft), "a.png", "figure", allowed)
    assert found.verdict == "within-tolerance", found
    assert "SSIM 0.99" in found.words
    assert compare(png(left), png(other), "a.png", "figure", allowed).verdict == "differs"
