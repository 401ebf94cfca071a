"""Saying what data is: into its pointer, or for what git holds into `lockgate.toml`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import category

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.dataset import said_of
from lockgate.data.manifest_file import manifest_text, write_manifest
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.pointer import parse_pointer, write_pointer
from lockgate.data.writing import write_pointer_file
from lockgate.errors import UserError
from lockgate.project.dataset_table import put_dataset
from lockgate.project.description import Description, meta_of
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is newly said; an empty text takes away what was."""

    text: str | None = None
    fields: Mapping[str, str] = {}
    add_labels: Sequence[str] = ()
    drop_labels: Sequence[str] = ()
    columns: Mapping[str, str] = {}

    @property
    def is_empty(self) -> bool:
        return self == Change()


class Described(msgspec.Struct, frozen=True):
    """`file`: where it stands now."""

    path: str
    file: str
    description: Description


def changed(before: Description, change: Change) -> Description:
    """Return what is said after a change."""
    labels = [*before.labels, *(label for label in change.add_labels if label not in before.labels)]
    columns = {**before.columns, **change.columns}
    return msgspec.structs.replace(
        before,
        text=before.text if change.text is None else change.text.strip(),
        labels=tuple(label for label in labels if label not in change.drop_labels),
        columns={name: words for name, words in columns.items() if words},
        doubts=(),
        **change.fields,
    )


def describe(clone: Clone, path: str, change: Change) -> Described:
    """Write what is said of the data at a path.

    Raises `UserError`: `description-invalid`, `data-unknown`, `pointer-invalid`, `no-manifest`, and what is
    wrong in that; `OutsideError` (`manifest-unwritable`, `file-unwritable`).
    """
    _require_text(change)
    for output in find_outputs(clone):
        if path in (output.path, output.file):
            return _into_pointer(clone, output, change)
    if not os.path.lexists(f"{clone.root}/{path}"):
        raise UserError(
            f"{path} is no data of this project", "`lockgate data list` names what is.", code="data-unknown"
        )
    return _into_manifest(clone, path, change)


def _require_text(change: Change) -> None:
    """Refuse what no pointer could hold: bytes that are no text, signs that steer a terminal."""
    words = [change.text or "", *change.fields.values(), *change.add_labels]
    words += [part for each in change.columns.items() for part in each]
    for word in words:
        if any(category(each) in ("Cc", "Cs") and each not in "\n\t" for each in word):
            raise UserError(
                f"{word[:60]!a} is no text, or has signs in it that cannot be shown",
                "Say it in letters, in UTF-8.",
                code="description-invalid",
            )


def _into_pointer(clone: Clone, output: Pointed, change: Change) -> Described:
    pointer = parse_pointer(output.text, output.file)
    said = changed(said_of(output), change)
    outputs = tuple(
        msgspec.structs.replace(
            each,
            desc=said.text or None,
            labels=said.labels,
            meta=meta_of(said, each.meta),
        )
        if each.path == output.path
        else each
        for each in pointer.outputs
    )
    text = write_pointer(msgspec.structs.replace(pointer, outputs=outputs), output.text)
    if text != output.text:
        write_pointer_file(clone.root, output.file, text)
    return Described(output.path, output.file, said)


def _into_manifest(clone: Clone, path: str, change: Change) -> Described:
    root = Path(clone.root)
    text = manifest_text(root)
    if text is None:
        raise UserError(
            f"there is no {MANIFEST_FILE} to describe {path} in",
            "Let Lockgate propose one (lockgate init), or make it data beside git: lockgate data add",
            code="no-manifest",
        )
    said = changed(parse_manifest(text).datasets.get(path, Description()), change)
    new = put_dataset(text, path, said)
    if new != text:
        write_manifest(root, new)
    return Described(path, MANIFEST_FILE, said)
