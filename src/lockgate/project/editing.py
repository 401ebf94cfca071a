"""A line more in a `lockgate.toml` that a person wrote: comments, order and spacing stay theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import cast

import tomlkit
from tomlkit.items import Array

from lockgate.errors import UserError
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE

_MAGIC = re.compile(r"([*?\[])")
_BRACES = re.compile(r"\{([^\W\d]\w*)\}")


def with_need(text: str, stage: str, path: str) -> str:
    """Return the manifest in which a stage (by the name written in the file) needs this one file too.

    Raises `UserError` (`manifest-not-edited`) where its `needs` are left out, or written so that nothing can
    be added; and what `parse_manifest` raises.
    """
    document = tomlkit.parse(text)
    stages = cast("MutableMapping[str, MutableMapping[str, object]]", document.get("stages", {}))
    needs = stages.get(stage, {}).get("needs")
    literal = _BRACES.sub(r"{{\1}}", _MAGIC.sub(r"[\1]", path))
    if not isinstance(needs, Array):
        raise UserError(
            f"{MANIFEST_FILE} has no list of needs for {stage} to which {path} could be added",
            f"Add it by hand: needs = [..., {path!r}] below [stages.{stage}].",
            code="manifest-not-edited",
        )
    _append(needs, literal)
    return _checked(document)


def with_undeclared(text: str, what: str) -> str:
    """Return the manifest that lets its stages use this undeclared. Raises what `with_need` does."""
    document = tomlkit.parse(text)
    if "project" not in document:
        # The first table may have comments above it that are about the file
        document["project"] = tomlkit.table()
    project = cast("MutableMapping[str, object]", document["project"])
    allowed = project.get("undeclared", [])
    if isinstance(allowed, str):
        allowed = [allowed]
    if not isinstance(allowed, Array):
        listed = tomlkit.array()
        listed.extend(cast("list[str]", allowed))
        project["undeclared"] = allowed = listed
    _append(allowed, what)
    return _checked(document)


def with_stage(text: str, stage: str, keys: Mapping[str, object]) -> str:
    """Return the manifest in which a stage has these keys; None takes a key away, others stay as they are.

    A stage that is not there yet stands at the end. Raises what `with_need` does.
    """
    document = tomlkit.parse(text)
    if "stages" not in document:
        document["stages"] = tomlkit.table(is_super_table=True)
    stages = cast("MutableMapping[str, MutableMapping[str, object]]", document["stages"])
    if stage not in stages:
        stages[stage] = tomlkit.table()
    table = stages[stage]
    for key, value in keys.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value:
            table[key] = value
    return _checked(document)


def _append(items: Array, text: str) -> None:
    if text not in items:
        items.append(text)


def _checked(document: tomlkit.TOMLDocument) -> str:
    text = tomlkit.dumps(document)
    parse_manifest(text)
    return text
