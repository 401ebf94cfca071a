"""What a project allows for a path."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.project.globs import compile_glob
from lockgate.project.pipeline import Allowance

#: Of what no table of `[verify]` is about.
NOTHING = Allowance(pattern="")


def allowance(path: str, declared: Sequence[Allowance]) -> Allowance:
    """Return what the project allows for a path: the last of its `[verify]` tables that fits."""
    return next((each for each in reversed(declared) if compile_glob(each.pattern)(path)), NOTHING)
