"""One dataset: what its pointer says, whether its bytes are here, and its versions in history."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.dataset_versions import Version, versions_of
from lockgate.data.imported import origin_of
from lockgate.data.pointed import Pointed
from lockgate.data.pointer import Pointer, parse_pointer
from lockgate.data.store_listing import listing, missing
from lockgate.project.description import Description, read_description


class Dataset(msgspec.Struct, frozen=True):
    path: str
    pointer: str
    md5: str | None
    size_bytes: int | None
    file_count: int | None
    description: Description
    missing_count: int
    """So many of its objects are not in the clone's store."""
    versions: tuple[Version, ...]


def dataset(clone: Clone, output: Pointed, description: Description) -> Dataset:
    """Return what is known of one, whose bytes a store keeps or git itself."""
    return Dataset(
        output.path,
        output.file,
        output.md5,
        output.size_bytes,
        output.file_count,
        description,
        _missing_count(clone, output),
        versions_of(Path(clone.root), "HEAD", output.path, output.file if output.is_cached else None),
    )


def said_of(output: Pointed) -> Description:
    """Return what an output's pointer says of it, or else of all its outputs.

    Raises `UserError` (`pointer-invalid`).
    """
    return description_in(parse_pointer(output.text, output.file), output.path)


def description_in(pointer: Pointer, path: str) -> Description:
    """Return what a pointer says of one of its outputs; an import says where it comes from, unless told."""
    output = next(each for each in pointer.outputs if each.path == path)
    said = read_description(
        output.desc or pointer.desc,
        output.labels,
        output.meta if output.meta is not None else pointer.meta,
    )
    origin = origin_of(pointer) if pointer.dependencies and not said.source else None
    return msgspec.structs.replace(said, source=origin.words) if origin is not None else said


def _missing_count(clone: Clone, output: Pointed) -> int:
    if output.md5 is None or not output.is_cached:
        return 0
    wanted = {output.md5}
    if output.is_folder:
        wanted |= set((listing(clone, output.md5) or {}).values())
    return len(missing(clone, wanted))
