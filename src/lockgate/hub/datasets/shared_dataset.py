"""A dataset of a project as another project may take it: one file or folder at one commit, by its digest."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.data.dataset_name import DatasetName
from lockgate.data.digest import Listed, folder_listing, md5_of
from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.git.listing import EXECUTABLE, FILE, STORED_EXECUTABLE, Entry
from lockgate.git.objects import Repository
from lockgate.git.revision import first_commit
from lockgate.hub.datasets.catalogue import commit_at
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.supplying.data_supply import Supply
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.snapshot import CommitSource
from lockgate.runs.load import pointed_in
from lockgate.runs.lockfile import read_lock
from lockgate.runs.pointed import stored_digest, with_pointed
from lockgate.runs.record import Artifact

_ID = re.compile(r"[0-9a-f]{4,40}")


class Shared(msgspec.Struct, frozen=True):
    """What a name means at a commit. `files`: the digests of a folder's files."""

    commit: str
    md5: str
    size_bytes: int | None = None
    file_count: int | None = None
    """Of a folder."""
    is_executable: bool = False
    files: tuple[str, ...] = ()


def commit_of_version(hub: Hub, name: DatasetName) -> str:
    """Return the commit that a version means: of a tag, a branch, a commit's id or a run.

    Raises `UserError` (`revision-unknown`, `run-ambiguous`).
    """
    repository, version = hub.repository(name.project), name.version
    if not version:
        commit = commit_at(repository, None)
        if commit is None:
            raise UserError(
                f"{name.project} has no commit yet", "Push something to it first.", code="revision-unknown"
            )
        return commit
    forms = [f"refs/tags/{version}", f"refs/heads/{version}", *([version] if _ID.fullmatch(version) else [])]
    found = first_commit(repository, *forms)
    if found is not None:
        return found
    with contextlib.closing(Index(hub.index, is_read_only=True)) as index:
        try:
            row = find_run(index, name.project, version)
        except UserError as error:
            if error.code != "run-unknown":
                raise
            raise UserError(
                f"{name.project} has no tag, branch, commit or run {version[:100]!r}",
                "Name one that is there; without @VERSION the default branch's is taken.",
                code="revision-unknown",
            ) from None
    return row.result_commit or row.request.commit


def find_shared(hub: Hub, name: DatasetName, commit: str, *, is_kept: bool = False) -> Shared:
    """Return a dataset of a project at a commit, be it behind a pointer, made by a stage, or in git.

    `is_kept`: all its bytes are in the store afterwards; what git holds is put there.
    Raises `UserError`: `data-unknown`, `data-legacy`, `data-link`, `pointer-invalid`; where bytes are needed,
    as `Supply.fetch`.
    """
    return _Finder(hub, name, commit, is_kept=is_kept).find()


class _Finder:
    def __init__(self, hub: Hub, name: DatasetName, commit: str, *, is_kept: bool) -> None:
        self._name, self._commit, self._is_kept = name, commit, is_kept
        self._store = Store(hub.store)
        self._supply = Supply(hub, name.project)
        self._path: Path = hub.repository(name.project)
        self._repository: Repository | None = None
        self._from_git: set[str] = set()

    def find(self) -> Shared:
        source, wanted = CommitSource(self._path, self._commit), self._name.path
        pointed = pointed_in(source)
        if wanted in pointed and wanted not in source.files():
            output = pointed[wanted].output
            if output.is_legacy:
                raise _legacy(wanted)
            return self._stored(
                output.md5 or "", output.size_bytes, output.file_count, is_executable=output.is_executable
            )
        seen = with_pointed(source.files(), pointed)
        if wanted in seen:
            return self._file(seen[wanted])
        artifacts = _artifacts(source)
        if wanted in artifacts:
            made = artifacts[wanted]
            count = made.file_count if made.md5.endswith(".dir") else None
            return self._stored(made.md5, made.size_bytes, count, is_executable=made.mode == EXECUTABLE)
        for path, each in pointed.items():
            if each.output.is_legacy and (path.startswith(wanted + "/") or wanted.startswith(path + "/")):
                raise _legacy(path)
        inside = self._above({path: each.output.md5 or "" for path, each in pointed.items()}, wanted)
        inside = inside or self._above({path: made.md5 for path, made in artifacts.items()}, wanted)
        if not inside:
            parts = {p: e for p, e in seen.items() if p.startswith(wanted + "/")}
            inside = [each for path, entry in parts.items() for each in self._below(path, entry)]
        if not inside:
            raise UserError(
                f"{self._name.project} has nothing at {wanted} in {self._commit[:10]}",
                "Name a file or folder that is there: its page Data lists what is described.",
                code="data-unknown",
            )
        if [each.relpath for each in inside] == [""]:
            return self._stored(inside[0].md5, None, None)
        return self._folder(inside)

    def _file(self, entry: Entry) -> Shared:
        md5 = stored_digest(entry)
        if md5 is not None:
            return self._stored(md5, None, None, is_executable=entry.mode == STORED_EXECUTABLE)
        content = self._blob(self._name.path, entry)
        return Shared(
            self._commit,
            self._kept(content),
            len(content),
            is_executable=entry.mode == EXECUTABLE,
        )

    def _stored(
        self, md5: str, size: int | None, count: int | None, *, is_executable: bool = False
    ) -> Shared:
        if not self._is_kept:
            return Shared(self._commit, md5, size, count, is_executable)
        self._supply.fetch([md5])
        listed = self._store.listing(md5) if md5.endswith(".dir") else ()
        files = tuple(dict.fromkeys(each.md5 for each in listed))
        if size is None:
            size = sum(self._size(each.md5) for each in listed) if listed else self._size(md5)
        if count is None and md5.endswith(".dir"):
            count = len(listed)
        return Shared(self._commit, md5, size, count, is_executable, files)

    def _folder(self, inside: list[Listed]) -> Shared:
        """Return a folder that nobody has made a listing of yet."""
        content = folder_listing(inside)
        files = tuple(dict.fromkeys(each.md5 for each in inside))
        if not self._is_kept:
            return Shared(self._commit, md5_of(content) + ".dir", None, len(inside), files=files)
        # What git holds is the project's; of what a pointer names, only what it has shown the bytes of
        self._supply.fetch([md5 for md5 in files if md5 not in self._from_git])
        size = sum(self._size(each.md5) for each in inside)
        return Shared(self._commit, self._store.put_listing(content), size, len(inside), files=files)

    def _above(self, folders: dict[str, str], wanted: str) -> list[Listed]:
        """Return what of a stored folder lies at a path in it; a single file has the path ""."""
        for path, md5 in folders.items():
            if md5.endswith(".dir") and wanted.startswith(path + "/"):
                at = wanted[len(path) + 1 :]
                listed = self._listing(md5)
                return [
                    Listed(each.md5, each.relpath[len(at) + 1 :])
                    for each in listed
                    if each.relpath == at or each.relpath.startswith(at + "/")
                ]
        return []

    def _below(self, path: str, entry: Entry) -> Iterator[Listed]:
        at = path[len(self._name.path) + 1 :]
        md5 = stored_digest(entry)
        if md5 is None:
            yield Listed(self._kept(self._blob(path, entry)), at)
        elif md5.endswith(".dir"):
            for each in self._listing(md5):
                yield Listed(each.md5, f"{at}/{each.relpath}")
        else:
            yield Listed(md5, at)

    def _listing(self, md5: str) -> tuple[Listed, ...]:
        listed = self._supply.listing(md5)
        if listed is None:
            raise OutsideError(
                f"the listing {md5} of {self._name.project} is nowhere",
                "Where the data is, send it: lockgate hub send",
                code="data-missing",
            )
        return tuple(listed)

    def _blob(self, path: str, entry: Entry) -> bytes:
        if entry.mode not in (FILE, EXECUTABLE):
            raise UserError(
                f"{path} of {self._name.project} is a link or a submodule, which goes to no other project",
                "Name the file it leads to.",
                code="data-link",
            )
        if self._repository is None:
            self._repository = Repository(self._path)
        return self._repository.read_blob(entry.id)

    def _kept(self, content: bytes) -> str:
        md5 = self._store.put_bytes(content) if self._is_kept else md5_of(content)
        self._from_git.add(md5)
        return md5

    def _size(self, md5: str) -> int:
        return self._store.path(md5).stat().st_size


def _artifacts(source: CommitSource) -> dict[str, Artifact]:
    """Return what stages made and git does not hold."""
    content = source.read([LOCK_FILE]).get(LOCK_FILE)
    records = read_lock(content) if content is not None else {}
    return {
        artifact.path: artifact
        for record in records.values()
        for artifact in record.artifacts
        if artifact.git is None
    }


def _legacy(path: str) -> UserError:
    return UserError(
        f"{path} is behind a pointer of DVC 2, whose digests are others",
        f"In that project, bring the data with `dvc checkout`, then: lockgate data add {path}",
        code="data-legacy",
    )
