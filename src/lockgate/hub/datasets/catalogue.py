"""A project's catalogue: its datasets at a commit, as pointers, `lockgate.toml` and `lockgate.lock` say."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from lockgate.data.certification import Certification, Standing, standing
from lockgate.data.dataset import description_in
from lockgate.data.pointer import parse_pointer
from lockgate.errors import LockgateError, UserError
from lockgate.git.defaultbranch import default_commit
from lockgate.git.program import attempt
from lockgate.git.revision import first_commit
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.project.description import Description
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE
from lockgate.project.snapshot import CommitSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.pointed import pointer_paths
from lockgate.runs.record import Artifact


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset. Of `md5` and `git` the one is known by which its bytes are found, or both."""

    path: str
    pointer: str | None = None
    """The `.dvc` file; None: `lockgate.toml` names it."""
    md5: str | None = None
    git: str | None = None
    """Its blob or tree, where git holds it."""
    size_bytes: int | None = None
    file_count: int | None = None
    """Of a folder."""
    is_made: bool = False
    """A stage makes it."""
    description: Description

    @property
    def content(self) -> str | None:
        """What tells this version from others; None: there is no content yet."""
        return self.md5 or self.git

    @property
    def is_folder(self) -> bool:
        return self.file_count is not None


class Listed(msgspec.Struct, frozen=True):
    """A dataset and how its version at this commit stands."""

    entry: Entry
    standing: Standing


class Catalogue(msgspec.Struct, frozen=True):
    """`commit` None: the project has none yet. `problems`: what could not be read, in words."""

    commit: str | None
    datasets: tuple[Listed, ...] = ()
    problems: tuple[str, ...] = ()

    def find(self, path: str) -> Listed:
        """Raises `UserError` (`data-unknown`)."""
        for each in self.datasets:
            if each.entry.path == path:
                return each
        raise UserError(
            f"there is no dataset {path[:200]}",
            "A dataset is what a pointer stands for, or [datasets] in lockgate.toml names.",
            code="data-unknown",
        )


def today() -> str:
    """Return the day it is, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def standing_now(said: Sequence[Certification], content: str | None) -> Standing:
    """Return how a version stands today; `said`: of its path, newest first."""
    return standing(said, content, today())


def catalogue(hub: Hub, project: str, revision: str | None = None) -> Catalogue:
    """Return the datasets at a branch, tag or commit; left out: at the default branch's.

    Raises `UserError`: `project-unknown`, `revision-unknown`.
    """
    repository = hub.require_project(project)
    commit = commit_at(repository, revision)
    if commit is None:
        return Catalogue(None)
    entries, problems = entries_at(repository, commit)
    with contextlib.closing(Index(hub.index, is_read_only=True)) as index:
        said = index.certifications(project)
    return Catalogue(
        commit,
        tuple(Listed(each, standing_now(of_path(said, each.path), each.content)) for each in entries),
        problems,
    )


def of_path(said: Sequence[Certification], path: str) -> list[Certification]:
    return [each for each in said if each.path == path]


def commit_at(repository: Path, revision: str | None) -> str | None:
    """Return the commit that a branch, tag or id means; None: there is no default branch yet.

    Raises `UserError` (`revision-unknown`).
    """
    if revision is None:
        return default_commit(repository)
    found = first_commit(repository, f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
    if found is not None:
        return found
    raise UserError(
        f"there is no branch, tag or commit {revision[:100]!r}",
        "Name one that is there.",
        code="revision-unknown",
    )


@lru_cache(maxsize=64)
def entries_at(repository: Path, commit: str) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the datasets of a commit by path, and what could not be read. A commit never changes."""
    source = CommitSource(repository, commit)
    problems: list[str] = []
    found = {each.path: each for each in _pointed(source, problems)}
    described = _declared(source, problems)
    if described:
        made = _made(source, problems)
        for path, description in described.items():
            known = found.get(path)
            if known is None:
                found[path] = _in_git(repository, commit, source, path, description, made.get(path))
            elif known.description == Description():
                found[path] = msgspec.structs.replace(known, description=description)
    return tuple(found[path] for path in sorted(found)), tuple(problems)


def _pointed(source: CommitSource, problems: list[str]) -> Iterator[Entry]:
    paths = pointer_paths(source.files())
    for file, content in (source.read(paths) if paths else {}).items():
        try:
            pointer = parse_pointer(content.decode("utf-8", "surrogateescape"), file)
        except UserError as problem:
            problems.append(problem.message)
            continue
        for output in pointer.outputs:
            held = source.files().get(output.path)
            yield Entry(
                path=output.path,
                pointer=file,
                md5=output.md5,
                git=held.id if held is not None else None,
                size_bytes=output.size_bytes,
                file_count=output.file_count if output.is_folder else None,
                description=description_in(pointer, output.path),
            )


def _declared(source: CommitSource, problems: list[str]) -> Mapping[str, Description]:
    content = source.read([MANIFEST_FILE]).get(MANIFEST_FILE)
    if content is None:
        return {}
    try:
        return parse_manifest(content.decode("utf-8", "replace")).datasets
    except UserError as problem:
        problems.append(problem.message)
        return {}


def _made(source: CommitSource, problems: list[str]) -> dict[str, Artifact]:
    content = source.read([LOCK_FILE]).get(LOCK_FILE)
    if content is None:
        return {}
    try:
        records = read_lock(content)
    except LockgateError as problem:
        problems.append(problem.message)
        return {}
    return {artifact.path: artifact for record in records.values() for artifact in record.artifacts}


def _in_git(
    repository: Path,
    commit: str,
    source: CommitSource,
    path: str,
    description: Description,
    made: Artifact | None,
) -> Entry:
    """Return the dataset at a path that `lockgate.toml` names: what a stage made, or what git holds."""
    if made is not None:
        return Entry(
            path=path,
            md5=made.md5,
            git=made.git,
            size_bytes=made.size_bytes,
            file_count=made.file_count if made.md5.endswith(".dir") else None,
            is_made=True,
            description=description,
        )
    held = source.files().get(path)
    code, output, _ = attempt(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", path)
    lines = output.split(b"\0")[:-1] if code == 0 else []
    sizes = [int(line.split()[3]) for line in lines if line.split()[3].isdigit()]
    if held is not None:
        return Entry(path=path, git=held.id, size_bytes=sum(sizes), description=description)
    if not lines:
        return Entry(path=path, description=description)
    _, tree, _ = attempt(repository, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    return Entry(
        path=path,
        git=tree.decode().strip() or None,
        size_bytes=sum(sizes),
        file_count=len(lines),
        description=description,
    )
