"""`lockgate data add`: files and folders leave git for the store; a pointer stays in their place.

In an order that may break off anywhere: objects, listing, `.gitignore`, index, pointer. Each is whole or not
there.
"""

from __future__ import annotations

import os

from lockgate.data.clone import Clone
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.ignored_by_git import ignore
from lockgate.data.linking import keep, keep_bytes, still_changing
from lockgate.data.pointed import Pointed, find_outputs, outputs_of, plain_text, read_text
from lockgate.data.scan import Tree, count, total_bytes
from lockgate.data.state import NEVER_NS, Known, State
from lockgate.data.store_listing import missing
from lockgate.data.survey import Survey, digest_of_survey, survey
from lockgate.data.writing import write_pointer_file
from lockgate.errors import UserError


class Added:
    """What became of one path."""

    __slots__ = (
        "file_count",
        "is_changed",
        "is_folder",
        "md5",
        "path",
        "pointer",
        "read_count",
        "size_bytes",
    )

    def __init__(self, path: str, pointer: str, md5: str, tree: Tree, is_changed: bool, read_count: int):
        self.path = path
        self.pointer = pointer
        self.md5 = md5
        self.is_folder = md5.endswith(".dir")
        self.file_count = count(tree)
        self.size_bytes = total_bytes(tree)
        self.is_changed = is_changed
        """The pointer was written, or says something new."""
        self.read_count = read_count
        """So many files were read; the others are known to be as they were."""


def add(clone: Clone, paths: list[str]) -> list[Added]:
    """Put data into the store and write pointers; `paths` are relative to the root.

    Raises `UserError`: `path-missing`, `data-path`, `data-overlaps`, `data-imported`, those of `survey`;
    `OutsideError`: `store-unwritable`, `file-unwritable`.
    """
    for path in paths:
        require_data_path(clone, path)
        if not os.path.lexists(f"{clone.root}/{path}"):
            raise UserError(f"{path} is not there", "Look at it with `ls`.", code="path-missing")
    ensure_dvc_folder(clone.root)
    state = State(clone.git_dir)
    added = []
    try:
        for path in paths:
            added.append(_add(clone, state, _target(clone, path)))
    finally:
        state.save()
    return added


def require_data_path(clone: Clone, path: str) -> None:
    """Refuse a path, relative to the root, that no data can have. Raises `UserError` (`data-path`)."""
    parts = path.split("/")
    if path in ("", ".") or parts[0] == ".." or path.startswith("/") or {".git", ".dvc"} & set(parts):
        raise UserError(
            f"{path or '.'} cannot be data", "Name a file or folder inside the project.", code="data-path"
        )
    if "\n" in path or "\r" in path or path.endswith((" ", ".dvc")) or not _is_utf8(path):
        raise UserError(
            f"{path!a} cannot be the name of data: git's and DVC's files have no place for it",
            "Give it a plain name; what lies in a folder may have any.",
            code="data-path",
        )
    above = os.path.dirname(f"{clone.root}/{path}")
    if os.path.realpath(above) != above:
        raise UserError(
            f"{path} lies behind a link",
            f"Name it by its own place: {os.path.realpath(above)}",
            code="data-path",
        )


def _is_utf8(path: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in path)


class _Target:
    """What is to be added, and the pointer that stands for it already."""

    __slots__ = ("file", "known", "path", "text")

    def __init__(self, path: str, file: str, text: str | None, known: Pointed | None):
        self.path = path
        self.file = file
        self.text = text
        self.known = known


def _target(clone: Clone, path: str) -> _Target:
    pointer = f"{path}.dvc"
    if os.path.exists(f"{clone.root}/{pointer}"):
        text = read_text(f"{clone.root}/{pointer}")
        for output in outputs_of(text, pointer):
            if output.path == path:
                return _Target(path, pointer, text, output)
    for output in find_outputs(clone):
        if output.path == path:
            return _Target(path, output.file, output.text, output)
        if output.path.startswith(path + "/"):
            raise UserError(
                f"{output.path} inside {path} is data of its own, by {output.file}",
                f"Remove that pointer first (git rm {output.file}), or add the rest by its own name.",
                code="data-overlaps",
            )
        if path.startswith(output.path + "/"):
            return _Target(output.path, output.file, output.text, output)
    if os.path.exists(f"{clone.root}/{pointer}"):
        raise UserError(
            f"{pointer} stands for something else",
            "Move it, or add the data under another name.",
            code="data-path",
        )
    return _Target(path, pointer, None, None)


def _add(clone: Clone, state: State, target: _Target) -> Added:
    before = state.get(target.path)
    found = survey(clone, target.path, before, lambda path, seen: keep(clone, path, seen))
    if found is None:
        raise UserError(f"{target.path} is not there", "Look at it with `ls`.", code="path-missing")
    if before is not None and found.is_as_known:
        md5 = before.md5
    else:
        md5 = digest_of_survey(found)
    found = _complete(clone, target.path, found)
    if md5.endswith(".dir") and not clone.has(md5):
        keep_bytes(clone, found.listing(), md5)
    text = _pointer_text(clone, target, found, md5)
    ignore(clone.root, target.path)
    if text != target.text:
        if target.text is None:
            from lockgate.data.untracking import untrack  # noqa: PLC0415  (starts git)

            untrack(clone.root, target.path)
        write_pointer_file(clone.root, target.file, text)
    if before is None or found.read_count or before.pointer != text or found.tree != before.tree:
        state.put(target.path, Known(text, md5, found.tree, found.digests), found.looked_at_ns)
    return Added(target.path, target.file, md5, found.tree, text != target.text, found.read_count)


def _complete(clone: Clone, path: str, found: Survey) -> Survey:
    """Bring into the store again what is known of the work tree but was taken away there."""
    wanted = {md5 for here in found.digests.values() for md5 in here}
    lost = missing(clone, wanted)
    if not lost:
        return found
    tree: Tree = {}
    for folder, (names, stats) in found.tree.items():
        seen = list(stats)
        for at, md5 in enumerate(found.digests[folder]):
            if md5 in lost:
                seen[3 * at + 2] = NEVER_NS
        tree[folder] = (names, seen)
    again = Known("", "", tree, found.digests)
    complete = survey(clone, path, again, lambda file, seen: keep(clone, file, seen))
    if complete is None or complete.digests != found.digests:
        raise still_changing(path)
    return complete


def _is_plain(old: Pointed) -> bool:
    """Return whether a pointer says no more than that the data lies beside it."""
    if old.md5 is None or old.size_bytes is None:
        return False
    return plain_text(old.file, old.path, old.md5, old.size_bytes, old.file_count) == old.text


def _pointer_text(clone: Clone, target: _Target, found: Survey, md5: str) -> str:
    size, files = total_bytes(found.tree), None if found.is_file else count(found.tree)
    is_executable = found.is_file and bool(os.stat(f"{clone.root}/{target.path}").st_mode & 0o100)
    old = target.known
    if (
        old is not None
        and (old.md5, old.size_bytes, old.file_count) == (md5, size, files)
        and not old.is_legacy
        and old.is_executable == is_executable
    ):
        return old.text
    plain = plain_text(target.file, target.path, md5, size, files)
    if plain is not None and not is_executable and (old is None or _is_plain(old)):
        return plain
    from msgspec.structs import replace  # noqa: PLC0415  (only where a pointer is written)

    from lockgate.data.pointer import Output, Pointer, parse_pointer, write_pointer  # noqa: PLC0415

    if target.text is None:
        new = Output(target.path, md5, size, files, is_executable=is_executable)
        return write_pointer(Pointer(target.file, (new,)))
    pointer = parse_pointer(target.text, target.file)
    if pointer.dependencies:
        raise UserError(
            f"{target.path} was imported, and {target.file} says from where",
            f"Fetch a newer version from there: lockgate data import --update {target.path}; or add it under "
            "another name.",
            code="data-imported",
        )
    outputs = tuple(
        replace(
            each, md5=md5, size_bytes=size, file_count=files, is_executable=is_executable, is_legacy=False
        )
        if each.path == target.path
        else each
        for each in pointer.outputs
    )
    return write_pointer(replace(pointer, outputs=outputs), target.text)
