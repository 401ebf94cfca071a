"""Names in the order a person puts them: the numbers inside count as numbers, 9 before 10."""

from __future__ import annotations

import re
from typing import TypeAlias

#: As a matrix writes them into paths: `16`, `0.05`, `1e-05`.
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+(?![0-9A-Za-z]))?)")

NaturalKey: TypeAlias = tuple[tuple[str | float, ...], str]


def natural_key(name: str) -> NaturalKey:
    """Return what to sort a name by. Different names have different keys."""
    # Texts and numbers take turns, so that like is compared with like
    parts = tuple(float(part) if at % 2 else part for at, part in enumerate(_NUMBER.split(name)))
    return parts, name
