"""The bytes of what a run's stages made: from git where the result commit holds them, else from the store."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub
from lockgate.project.pipeline import Kind
from lockgate.runs.record import Artifact

_FIGURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp", ".pdf")
_TABLES = (".csv", ".tsv", ".parquet")


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a stage made, by itself or in a folder. Either of `git` (a blob) and `md5` is known."""

    path: str
    kind: Kind
    size_bytes: int
    git: str | None = None
    md5: str | None = None


def files_of(hub: Hub, project: str, artifact: Artifact, limit: int = 1000) -> Iterator[File]:
    """Yield the files of an artifact, itself where it is one. Raises `OutsideError`: `store-missing`."""
    if not artifact.md5.endswith(".dir"):
        yield File(
            path=artifact.path,
            kind=artifact.kind,
            size_bytes=artifact.size_bytes,
            git=artifact.git,
            md5=artifact.md5,
        )
    elif artifact.git is not None:
        yield from files_in_git(hub.repository(project), artifact, limit)
    else:
        yield from _in_store(Store(hub.store), artifact, limit)


def find_file(hub: Hub, project: str, artifacts: Iterable[Artifact], path: str) -> File:
    """Return the file at a path among what was made. Raises `UserError` (`artifact-unknown`)."""
    for artifact in artifacts:
        if path == artifact.path or path.startswith(artifact.path.rstrip("/") + "/"):
            for file in files_of(hub, project, artifact, 100_000):
                if file.path == path:
                    return file
    raise UserError(
        f"the run made no file {path}", "What it made stands on the run's page.", code="artifact-unknown"
    )


def read_file(hub: Hub, project: str, file: File, limit_bytes: int) -> bytes:
    """Return a file's bytes, at most so many. Raises `OutsideError`: `store-missing`, `git-failed`."""
    if file.md5 is not None and Store(hub.store).has(file.md5):
        with Store(hub.store).path(file.md5).open("rb") as stream:
            return stream.read(limit_bytes)
    if file.git is not None:
        found = next(read_many(hub.repository(project), [file.git]), None)
        if found is not None:
            return found.content[:limit_bytes]
    raise _gone(file)


def stored_at(hub: Hub, file: File) -> Path | None:
    """Return where a file lies in the store, None where git alone holds it."""
    place = Store(hub.store).path(file.md5) if file.md5 is not None else None
    return place if place is not None and place.is_file() else None


def kind_of(path: str, folder: Kind) -> Kind:
    """Return the kind of a file in a folder of that kind."""
    ending = posixpath.splitext(path)[1].lower()
    if ending in _FIGURES:
        return "figure"
    if ending in _TABLES:
        return "table"
    return folder if folder in ("model", "metrics") else "file"


def files_in_git(repository: Path, artifact: Artifact, limit: int) -> Iterator[File]:
    """Yield the files of a folder that a repository holds."""
    code, output, _ = attempt(repository, "ls-tree", "-r", "-l", "-z", artifact.git or "")
    for number, line in enumerate(
        output.decode("utf-8", "surrogateescape").split("\0")[:-1] if not code else ()
    ):
        if number >= limit:
            return
        about, _, name = line.partition("\t")
        _, kind, oid, size = about.split()
        if kind == "blob":
            path = posixpath.join(artifact.path, name)
            yield File(path=path, kind=kind_of(path, artifact.kind), size_bytes=int(size), git=oid)


def _in_store(store: Store, artifact: Artifact, limit: int) -> Iterator[File]:
    for listed in store.listing(artifact.md5)[:limit]:
        place = store.path(listed.md5)
        path = posixpath.join(artifact.path, listed.relpath)
        yield File(
            path=path,
            kind=kind_of(path, artifact.kind),
            size_bytes=place.stat().st_size if place.exists() else 0,
            md5=listed.md5,
        )


def _gone(file: File) -> OutsideError:
    return OutsideError(
        f"the bytes of {file.path} are not on the hub any more",
        "Run its stage again, or bring the store back from a backup.",
        code="store-missing",
    )
