"""The datasets of a work tree with what is said of them: of pointers, and of `[datasets]`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.dataset import said_of
from lockgate.data.manifest_file import manifest_text
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.versions import outputs_at
from lockgate.errors import UserError
from lockgate.project.description import Description
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE


class Catalogued(msgspec.Struct, frozen=True):
    """One. Of what git holds `output.file` is `lockgate.toml`, and the digest is not known."""

    output: Pointed
    description: Description


def find_datasets(clone: Clone) -> list[Catalogued]:
    """Return them by path. Raises `UserError`: `pointer-invalid`, and what is wrong in `lockgate.toml`."""
    found = {each.path: Catalogued(each, said_of(each)) for each in find_outputs(clone)}
    for path, description in declared(clone).items():
        place = f"{clone.root}/{path}"
        if path not in found and os.path.lexists(place):
            output = Pointed(MANIFEST_FILE, "", path, None)
            output.is_cached = False
            output.size_bytes = os.path.getsize(place) if os.path.isfile(place) else None
            found[path] = Catalogued(output, description)
    return [found[path] for path in sorted(found)]


def datasets_at(clone: Clone, revision: str) -> list[Catalogued]:
    """Return what the pointers of a commit stand for, by path. Raises as `outputs_at`."""
    return [Catalogued(each, said_of(each)) for each in outputs_at(clone, revision)]


def find_dataset(clone: Clone, path: str) -> Catalogued:
    """Return the dataset at a path, or of a pointer. Raises as `find_datasets`, and `data-unknown`."""
    for each in find_datasets(clone):
        if path == each.output.path or (path == each.output.file and path != MANIFEST_FILE):
            return each
    raise UserError(
        f"{path} is no dataset of this project",
        "`lockgate data list` names what is; a file in git becomes one by `lockgate data describe`.",
        code="data-unknown",
    )


def declared(clone: Clone) -> dict[str, Description]:
    """Return what `lockgate.toml` says of data, by path.

    Raises `OutsideError` (`manifest-unwritable`), `UserError` for what is wrong in it.
    """
    text = manifest_text(Path(clone.root))
    return parse_manifest(text).datasets if text is not None else {}
