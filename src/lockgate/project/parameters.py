"""A parameters file: its document, its values under dotted keys as DVC tracks them: `train.depth` → 8."""

from __future__ import annotations

import json
import math

import tomli

from lockgate.errors import UserError
from lockgate.project.dvc_table import table_at
from lockgate.project.pipeline import Scalar
from lockgate.project.yaml_text import Document, Value


def read_parameters(name: str, text: str) -> dict[str, Value]:
    """Return a parameters file's document: TOML or YAML (of which JSON is a part), by the file's ending.

    Raises `UserError` (`manifest-syntax`, `manifest-invalid`, `dvc-unsupported`) with file and line.
    """
    if name.endswith(".toml"):
        try:
            return tomli.loads(text)
        except (ValueError, RecursionError) as problem:
            line = getattr(problem, "lineno", 1)
            raise UserError(f"{name}:{line}: no TOML", "Correct this line.", code="manifest-syntax") from None
    if name.endswith(".py"):
        raise UserError(
            f"{name}:1: parameters in a Python file are not supported",
            "Put them in params.yaml.",
            code="dvc-unsupported",
        )
    document = Document(text.removeprefix("\ufeff"), name)
    return table_at(document, document.value, ())


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
