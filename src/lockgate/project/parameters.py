"""Values of a parameters file under dotted keys, as DVC tracks them: `train.depth` → 8."""

from __future__ import annotations

import json
import math

from lockgate.project.dvc import read_parameters
from lockgate.project.pipeline import Scalar


def flat_parameters(text: str, path: str) -> dict[str, Scalar]:
    """Return every leaf of a YAML, JSON or TOML document; a list is one leaf, in JSON.

    Raises `UserError` for what is no such document.
    """
    leaves: dict[str, Scalar] = {}

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict) and (value or not key):
            for name, inside in value.items():
                walk(inside, f"{key}.{name}" if key else str(name))
        elif isinstance(value, float) and not math.isfinite(value):
            # JSON, which records are kept in, has no such number
            leaves[key] = str(value)
        elif isinstance(value, str | int | float | bool):
            leaves[key] = value
        else:
            leaves[key] = json.dumps(value, sort_keys=True, default=str)

    walk(read_parameters(path, text), "")
    return leaves
