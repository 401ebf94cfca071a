"""Taking in what a job made: each declared path by its digest, small ones into git, large into the store."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lockgate.data.digest import Listed, folder_listing, md5_of, md5_of_file
from lockgate.data.store import Store
from lockgate.errors import UserError
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, Entry
from lockgate.git.objects import EMPTY_TREE, Repository
from lockgate.project.pipeline import Kind, Stage
from lockgate.runs.notebook import page_path
from lockgate.runs.record import Artifact

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((".csv", ".tsv", ".parquet", ".feather", ".arrow", ".xlsx"), "table"),
    **dict.fromkeys((".png", ".svg", ".jpg", ".jpeg", ".pdf", ".gif"), "figure"),
    **dict.fromkeys((".pkl", ".joblib", ".onnx", ".pt", ".h5", ".keras", ".cbm", ".safetensors"), "model"),
    ".ipynb": "notebook",
}


def kind_of(stage: Stage, path: str) -> Kind:
    """Return what sort of thing a stage makes at this path: as declared, else by its ending."""
    if path in stage.metrics:
        return "metrics"
    if path in stage.figures:
        return "figure"
    ending = posixpath.splitext(path)[1].lower()
    if stage.notebook is not None and ending == ".html":
        return "notebook"
    return _KINDS.get(ending, "file")


class Collector:
    """Takes artifacts into one project's repository and the hub's store."""

    def __init__(
        self, repository: Repository, store: Store, result_limit_bytes: int, *, has_notebooks: bool = True
    ) -> None:
        """`has_notebooks`: executed notebooks and their pages may lie in git, not in the store alone."""
        self._repository = repository
        self._store = store
        self._limit_bytes = result_limit_bytes
        self._has_notebooks = has_notebooks

    def collect(self, stage: Stage, workspace: Path) -> tuple[Artifact, ...]:
        """Return everything the stage declares to make.

        Raises `UserError`: `make-missing`, `make-outside` (a link that leads out of the workspace or in a
        ring), `make-special` (a pipe, socket or device), `path-unsafe` (a name that cannot be kept).
        """
        missing = [path for path in stage.makes if not os.path.lexists(workspace / path)]
        if missing:
            raise UserError(
                f"it ended well but did not make {', '.join(missing)}",
                f"Write it at that path in the workspace, or take it out of the makes of {stage.group}.",
                code="make-missing",
            )
        return tuple(self._take(stage, workspace, path) for path in stage.makes)

    def salvage(self, stage: Stage, workspace: Path) -> tuple[Artifact, ...]:
        """Return what a job that failed had made by then, as far as it can be taken."""
        found = []
        for path in stage.makes:
            if os.path.lexists(workspace / path):
                try:
                    found.append(self._take(stage, workspace, path))
                except UserError:
                    continue
        return tuple(found)

    def _take(self, stage: Stage, workspace: Path, path: str) -> Artifact:
        place = workspace / path
        if _has_link_above(workspace, path):
            _require_inside(workspace, place.parent, path)
        status = _look(workspace, place, path)
        if stat.S_ISDIR(status.st_mode):
            return self._take_folder(stage, workspace, path)
        mode = EXECUTABLE if status.st_mode & 0o100 else FILE
        kind, size = kind_of(stage, path), status.st_size
        if size <= self._limit_bytes and self._may_be_in_git(stage, path):
            content = place.read_bytes()
            oid = self._repository.write_blob(content)
            return Artifact(
                path=path, kind=kind, size_bytes=len(content), md5=md5_of(content), git=oid, mode=mode
            )
        md5 = md5_of_file(place)
        self._store.put(place, md5)
        return Artifact(path=path, kind=kind, size_bytes=size, md5=md5, mode=mode)

    def _may_be_in_git(self, stage: Stage, path: str) -> bool:
        if self._has_notebooks:
            return True
        is_page = stage.notebook is not None and path == page_path(stage.notebook, stage.makes)
        return not (is_page or path.endswith(".ipynb"))

    def _take_folder(self, stage: Stage, workspace: Path, path: str) -> Artifact:
        files = list(_walk(workspace, path))
        size = sum(status.st_size for _, status in files)
        listed = [Listed(md5_of_file(workspace / name), posixpath.relpath(name, path)) for name, _ in files]
        listing = folder_listing(listed)
        oid = None
        if size <= self._limit_bytes and all(self._may_be_in_git(stage, name) for name, _ in files):
            entries = {
                posixpath.relpath(name, path): Entry(
                    EXECUTABLE if status.st_mode & 0o100 else FILE,
                    self._repository.write_file_blob(workspace / name),
                )
                for name, status in files
            }
            oid = self._repository.edit_tree(None, entries) if entries else EMPTY_TREE
            md5 = md5_of(listing) + ".dir"
        else:
            _require_text(name for name, _ in files)
            for (name, _), row in zip(files, listed, strict=True):
                self._store.put(workspace / name, row.md5)
            md5 = self._store.put_listing(listing)
        return Artifact(
            path=path,
            kind=kind_of(stage, path),
            size_bytes=size,
            md5=md5,
            git=oid,
            mode=FOLDER,
            file_count=len(files),
        )


def size_of(workspace: Path, makes: Sequence[str]) -> int:
    """Return how many bytes there are to take in; links and errors count nothing."""
    total = 0
    for path in makes:
        place = workspace / path
        try:
            status = place.lstat()
            if stat.S_ISDIR(status.st_mode):
                total += sum(found.st_size for _, found in _walk(workspace, path))
            else:
                total += status.st_size
        except (OSError, UserError):
            continue
    return total


def _walk(workspace: Path, folder: str, around: tuple[str, ...] = ()) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file under a folder by its path in the workspace, sorted; `around`: the links walked."""
    for here, folders, names in os.walk(workspace / folder):
        folders.sort()
        inside = os.path.relpath(here, workspace)
        for name in sorted([*names, *(f for f in folders if (Path(here) / f).is_symlink())]):
            path = posixpath.join(inside, name)
            status = _look(workspace, workspace / path, path)
            if stat.S_ISDIR(status.st_mode):
                target, place = os.path.realpath(workspace / path), os.path.realpath(here)
                if target in around or f"{place}/".startswith(f"{target}/"):
                    raise _misleading(workspace, path, "a folder around it")
                yield from _walk(workspace, path, (*around, target))
            else:
                yield path, status


def _look(workspace: Path, place: Path, path: str) -> os.stat_result:
    status = place.lstat()
    if stat.S_ISLNK(status.st_mode):
        _require_inside(workspace, place, path)
        try:
            status = place.stat()
        except OSError:
            raise _misleading(workspace, path, "nothing") from None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UserError(
            f"{path} is a pipe, socket or device, which cannot be a result",
            "Write a file or a folder.",
            code="make-special",
        )
    return status


def _has_link_above(workspace: Path, path: str) -> bool:
    root, folder = os.fspath(workspace), posixpath.dirname(path)
    while folder:
        if os.path.islink(f"{root}/{folder}"):  # noqa: PTH114 (for every artifact: Path costs as much again)
            return True
        folder = posixpath.dirname(folder)
    return False


def _require_inside(workspace: Path, place: Path, path: str) -> None:
    """Refuse a path whose own link, or one among the folders above it, leads out of the workspace."""
    root, real = os.path.realpath(workspace), os.path.realpath(place)
    if real != root and not real.startswith(f"{root}/"):
        raise _misleading(workspace, path, f"{real}, which is not in the workspace")


def _misleading(workspace: Path, path: str, where: str) -> UserError:
    place = workspace / path
    link = f"{path} is a link to {place.readlink()}" if place.is_symlink() else f"{path} lies behind a link"
    return UserError(
        f"{link} and leads to {where}",
        "Write the file itself at that path: a result must stand on its own.",
        code="make-outside",
    )


def _require_text(paths: Iterable[str]) -> None:
    """A folder's listing in the store is JSON, whose names are text."""
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise UserError(
                f"the name of {shown} is not UTF-8, so the store cannot list it",
                "Write it under a name in UTF-8.",
                code="path-unsafe",
            ) from None
