"""`lockgate data import`: data of another project of the hub, in a clone, pinned to a commit and a digest.

In an order that may break off anywhere: the hub lends it, `.gitignore`, index, pointer, bytes. The same said
again goes on from there; with the pointer written, `lockgate data get` does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lockgate.data.add import require_data_path
from lockgate.data.clone import Clone
from lockgate.data.dataset_name import DatasetName
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.get import get
from lockgate.data.ignored_by_git import ignore
from lockgate.data.imported import Origin, import_pointer, is_import, origin_of, renewed
from lockgate.data.output import Output
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.pointer import parse_pointer, pointer_file, write_pointer
from lockgate.data.source import Source
from lockgate.data.status import standing
from lockgate.data.untracking import untrack
from lockgate.data.writing import write_whole
from lockgate.errors import OutsideError, UserError
from lockgate.git.worktree import remotes
from lockgate.hub.datasets.shared_dataset import Shared
from lockgate.hub.exchanging.borrowing import address_of, borrow
from lockgate.hub.reaching.address import REMOTE, address


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that came, or was brought to another version. `before`: the digest until now."""

    path: str
    pointer: str
    source: str
    commit: str
    md5: str
    before: str | None = None
    size_bytes: int | None = None
    file_count: int | None = None


class Newer(msgspec.Struct, frozen=True, kw_only=True):
    """What a dataset's source has by now, at a version."""

    path: str
    source: str
    version: str
    is_followed: bool
    """That is the version the import follows; else it stays where it is unless told otherwise."""
    commit: str
    md5: str


class Unasked(msgspec.Struct, frozen=True):
    """An import of which nobody could say whether there is something newer, and why."""

    path: str
    reason: str


def import_dataset(clone: Clone, name: DatasetName, path: str, sources: Sequence[Source]) -> Taken:
    """Take a dataset to `path`, relative to the root.

    Raises `UserError`: `data-path`, `path-taken`, `no-hub`, what the hub refuses with; `OutsideError`:
    `file-unwritable`, as `get`.
    """
    require_data_path(clone, path)
    _require_free(clone, path)
    root = Path(clone.root)
    place = address(None, None, root)
    (loan,) = borrow(place, [name], is_taken=True)
    found = loan.found
    origin = Origin(
        address_of(place, remotes(root)[REMOTE], name.project), name.path, found.commit, name.version
    )
    output = _output(path, found)
    ensure_dvc_folder(clone.root)
    _write(clone, path, write_pointer(import_pointer(output, origin)))
    return _fetched(clone, path, name.words, found, sources)


def update_import(clone: Clone, path: str, version: str | None, sources: Sequence[Source]) -> Taken:
    """Bring an import to what its version means now, or to another version.

    Raises `UserError`: `data-unknown`, `import-none`, `import-foreign`, `data-edited`, what the hub refuses
    with.
    """
    output = next((each for each in find_outputs(clone) if path in (each.path, each.file)), None)
    if output is None:
        raise UserError(
            f"{path} is no data of this project", "`lockgate data list` names what is.", code="data-unknown"
        )
    pointer = parse_pointer(output.text, output.file)
    origin = origin_of(pointer)
    if origin is None or len(pointer.outputs) != 1:
        raise UserError(
            f"{path} was not imported from another project",
            "After a change of your own: lockgate data add " + output.path,
            code="import-none",
        )
    if origin.project is None:
        raise UserError(
            f"{path} comes from {origin.url}, which is no project of this hub",
            f"Let DVC bring it: dvc update {output.file}",
            code="import-foreign",
        )
    _require_unedited(clone, output)
    name = DatasetName(origin.project, origin.path, origin.version if version is None else version)
    root = Path(clone.root)
    place = address(None, None, root)
    (loan,) = borrow(place, [name], is_taken=True)
    found = loan.found
    url = address_of(place, remotes(root)[REMOTE], origin.project)
    moved = renewed(
        pointer, _output(output.path, found), Origin(url, origin.path, found.commit, name.version)
    )
    _write(clone, output.path, write_pointer(moved, output.text), output.file)
    return msgspec.structs.replace(
        _fetched(clone, output.path, name.words, found, sources), before=output.md5
    )


def newer_versions(clone: Clone, outputs: Sequence[Pointed]) -> tuple[list[Newer], list[Unasked]]:
    """Ask the hub which imports have something newer at their source: at the version they follow, else on the
    default branch. Nothing is asked where nothing is imported."""
    imports = _imports(outputs)
    if not imports:
        return [], []
    names = [DatasetName(each.project or "", each.path, each.version) for _, each in imports]
    tips = [msgspec.structs.replace(name, version="") for name in names]
    try:
        place = address(None, None, Path(clone.root))
        loans = borrow(place, [*names, *tips], is_taken=False)
    except (UserError, OutsideError) as error:
        return [], [Unasked(output.path, error.message) for output, _ in imports]
    found: list[Newer] = []
    unasked: list[Unasked] = []
    for number, (output, origin) in enumerate(imports):
        followed, tip = loans[number], loans[number + len(imports)]
        there = next(
            (each for each in (followed, tip) if each.dataset and each.dataset.md5 != output.md5), None
        )
        if there is not None and there.dataset is not None:
            found.append(
                Newer(
                    path=output.path,
                    source=origin.words,
                    version=(origin.version if there is followed else "") or tip.branch,
                    is_followed=there is followed,
                    commit=there.dataset.commit,
                    md5=there.dataset.md5,
                )
            )
        elif tip.fault is not None:
            unasked.append(Unasked(output.path, tip.fault.message))
    return found, unasked


def _imports(outputs: Sequence[Pointed]) -> list[tuple[Pointed, Origin]]:
    found = []
    for output in outputs:
        if is_import(output.text):
            origin = origin_of(parse_pointer(output.text, output.file))
            if origin is not None and origin.project is not None:
                found.append((output, origin))
    return found


def _output(path: str, found: Shared) -> Output:
    return Output(path, found.md5, found.size_bytes, found.file_count, is_executable=found.is_executable)


def _require_free(clone: Clone, path: str) -> None:
    for each in find_outputs(clone):
        if each.path == path and is_import(each.text):
            raise UserError(
                f"{path} is imported already",
                f"Bring it to another version: lockgate data import --update {path}",
                code="path-taken",
            )
        if (each.path + "/").startswith(path + "/") or path.startswith(each.path + "/"):
            raise UserError(
                f"{each.path} is data of this project already, by {each.file}",
                "Name another place: lockgate data import hub://… PATH",
                code="path-taken",
            )
    for taken in (path, pointer_file(path)):
        if os.path.lexists(f"{clone.root}/{taken}"):
            raise UserError(
                f"{taken} is there already",
                "Name another place, or move it away: lockgate data import hub://… PATH",
                code="path-taken",
            )


def _require_unedited(clone: Clone, output: Pointed) -> None:
    stands = next((each for each in standing(clone) if each.output.path == output.path), None)
    if stands is not None and stands.word == "changed":
        raise UserError(
            f"{output.path} was changed here, and an update would overwrite it",
            f"Lose the change: lockgate data get --force {output.path}; or move the file away.",
            code="data-edited",
        )


def _write(clone: Clone, path: str, text: str, file: str | None = None) -> None:
    place = f"{clone.root}/{file or pointer_file(path)}"
    try:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        ignore(clone.root, path)
        if file is None:
            untrack(clone.root, path)
        write_whole(place, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise OutsideError(
            f"{error.filename or place} cannot be written: {error.strerror or error}",
            "Look at the disk (df -h) and the rights there, then say it again.",
            code="file-unwritable",
        ) from None


def _fetched(clone: Clone, path: str, source: str, found: Shared, sources: Sequence[Source]) -> Taken:
    output = next(each for each in find_outputs(clone) if each.path == path)
    get(clone, [output], sources)
    return Taken(
        path=path,
        pointer=output.file,
        source=source,
        commit=found.commit,
        md5=found.md5,
        size_bytes=found.size_bytes,
        file_count=found.file_count,
    )
