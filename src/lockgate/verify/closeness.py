"""Whether two values agree: as they are, as numbers, or within a tolerance."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

#: A number as programs print it.
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
#: Text longer than this is no number.
_LONGEST = 400


def agree(left: object, right: object, tolerance: float) -> bool:
    """Return whether two values are the same, or numbers within the tolerance.

    |left - right| ≤ tolerance · max(1, |left|, |right|): relative for large numbers, absolute for small ones.
    Not-a-number agrees with itself. It does not matter which is left.
    """
    if type(left) is type(right) and left == right:
        return True
    one, other = _number(left), _number(right)
    if one is None or other is None:
        return False
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if one == other:
        return True
    if math.isinf(one) or math.isinf(other):
        return False
    return abs(one / 2 - other / 2) * 2 <= tolerance * max(1.0, abs(one), abs(other))


def agree_in_text(left: str, right: str, tolerance: float) -> bool:
    """Return whether two lines are the same but for numbers that agree."""
    if left == right:
        return True
    if not tolerance:
        return False
    ours, theirs = NUMBER.findall(left), NUMBER.findall(right)
    return (
        len(ours) == len(theirs)
        and NUMBER.split(left) == NUMBER.split(right)
        and all(agree(one, other, tolerance) for one, other in zip(ours, theirs, strict=True))
    )


def few(words: list[str], at_most: int = 3) -> str:
    """Return the first words, and how many more there are."""
    more = f", and {len(words) - at_most} more" if len(words) > at_most else ""
    return ", ".join(words[:at_most]) + more


def lines_of(text: str, ignored: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield the lines that count, with their numbers."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not any(word in line for word in ignored):
            yield number, line


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isascii() and "_" not in value:
        try:
            return float(value)
        except ValueError:
            return None
    return None
