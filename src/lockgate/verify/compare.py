"""Two contents of one path, compared by what they are."""

from __future__ import annotations

from lockgate.project.pipeline import Kind
from lockgate.verify.report import Compared


def compare(left: bytes, right: bytes, path: str, kind: Kind) -> Compared:
    """Return how two contents compare. `path` tells by its ending what they are, with `kind`."""
    if left == right:
        return Compared("identical")
    return Compared("differs", first_difference(left, right))


def first_difference(left: bytes, right: bytes) -> str:
    """Return where two contents that differ do so first."""
    shorter = min(len(left), len(right))
    step = 1 << 16
    for start in range(0, shorter, step):
        one, other = left[start : min(start + step, shorter)], right[start : min(start + step, shorter)]
        if one != other:
            at = next(
                number for number, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]
            )
            return f"byte {start + at + 1:,} of {len(left):,}"
    return f"{len(left):,} bytes, and {len(right):,}"
