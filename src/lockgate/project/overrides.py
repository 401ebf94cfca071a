"""Other values for parameters, as given on the command line: text read as the type that was declared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from lockgate.errors import UserError
from lockgate.project.manifest import Manifest
from lockgate.project.pipeline import Scalar
from lockgate.project.scalar import scalar_text
from lockgate.project.stage_table import StageDeclaration
from lockgate.project.toml_reader import nearest


def apply_overrides(manifest: Manifest, overrides: Mapping[str, str]) -> Manifest:
    """Return the manifest with other values: `depth` wherever it is declared, `train.depth` in one stage.

    What is said for one stage wins. A matrix parameter is narrowed to the one value.

    Raises `UserError`: `parameter-unknown`, `parameter-invalid` (a value of another type).
    """
    if not overrides:
        return manifest
    wide = {name: text for name, text in overrides.items() if "." not in name}
    narrow = [name for name in overrides if "." in name]
    stages = {stage.name: stage for stage in manifest.stages}
    used: set[str] = set()
    params = dict(manifest.params)
    for name, text in wide.items():
        if name in params:
            params[name] = read_value(name, text, [params[name]])
            used.add(name)
    for stage in manifest.stages:
        mine = {name: text for name, text in wide.items() if name in stage.params or name in stage.matrix}
        if mine:
            used.update(mine)
            stages[stage.name] = _with(stage, mine, {})
    for full in narrow:
        stage_name, _, name = full.rpartition(".")
        declared = stages.get(stage_name)
        if declared is not None and name in {*params, *declared.params, *declared.matrix}:
            stages[stage_name] = _with(declared, {name: overrides[full]}, manifest.params, full)
            used.add(full)
    for full in overrides:
        if full not in used:
            raise _unknown(manifest, full)
    return replace(manifest, params=params, stages=tuple(stages.values()))


def _with(
    stage: StageDeclaration, values: Mapping[str, str], project_wide: Mapping[str, Scalar], shown: str = ""
) -> StageDeclaration:
    params, matrix = dict(stage.params), dict(stage.matrix)
    for name, text in values.items():
        if name in matrix:
            matrix[name] = (read_value(shown or name, text, matrix[name]),)
        else:
            declared = params[name] if name in params else project_wide[name]
            params[name] = read_value(shown or name, text, [declared])
    return replace(stage, params=params, matrix=matrix)


def read_value(name: str, text: str, declared: Sequence[Scalar]) -> Scalar:
    """Read `text` as the type of the declared values; where they differ in type, as the first that fits."""
    kinds = list(dict.fromkeys(type(value) for value in declared))
    for kind in sorted(kinds, key=(bool, int, float, str).index):
        value = _as(kind, text)
        if value is not None:
            return value
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}
    raise UserError(
        f'parameter {name} is {" or ".join(wanted[kind] for kind in kinds)}, "{text}" is not',
        f"Give it a value such as {scalar_text(declared[0])}.",
        code="parameter-invalid",
    )


def _as(kind: type, text: str) -> Scalar | None:
    if kind is str:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip())
    try:
        if kind is int:
            whole = int(text, 0)
            return whole if -(1 << 63) <= whole < 1 << 63 else None
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _unknown(manifest: Manifest, name: str) -> UserError:
    wide = {*manifest.params}
    full = set()
    for stage in manifest.stages:
        own = {*stage.params, *stage.matrix}
        wide |= own
        full |= {f"{stage.name}.{each}" for each in own}
    known = sorted(wide) + (sorted(full) if "." in name else [])
    hint = nearest(name, known) if known else f"{manifest.file} declares no parameters."
    return UserError(f"there is no parameter {name}", hint, code="parameter-unknown")
