"""Bringing a run's artifacts into the work tree; what was edited meanwhile is never overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import msgspec

from lockgate.data.digest import Listed, md5_of_file, parse_listing
from lockgate.data.store import Store
from lockgate.errors import OutsideError, UserError
from lockgate.git.exclude import exclude
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, Entry, blob_id, tree_id
from lockgate.git.place import checkout_paths
from lockgate.git.program import attempt, git
from lockgate.git.worktree import git_dir_of, remotes
from lockgate.hub.directory import Hub
from lockgate.hub.exchanging.carrying import Carried, fetch_objects
from lockgate.hub.exchanging.exchange import exchange_with
from lockgate.hub.reaching.address import REMOTE, Address, LocalHub, of_url
from lockgate.hub.worktree.history import SEARCHED, entries, refresh, result_of
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.runtime import LOCK_MARK
from lockgate.project.snapshot import CommitSource, WorktreeSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import Artifact


class Fetched(msgspec.Struct, frozen=True):
    """What was written, and what was left because it was edited since the snapshot. Paths, sorted."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def fetch_commit(root: Path, commit: str) -> None:
    """Bring one commit from the hub, whatever refs there are."""
    if attempt(root, "cat-file", "-e", f"{commit}^{{commit}}")[0] != 0:
        git(root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", REMOTE, commit)


def fetch_run(root: Path, run: str, *, is_forced: bool) -> Fetched:
    """Write what a run made into the work tree, found by the chain. Raises `UserError` (`run-unknown`)."""
    refresh(root)
    result, snapshot = result_of(entries(root, SEARCHED), run)
    fetch_commit(root, result)
    fetch_commit(root, snapshot)
    done = place_results(root, snapshot, result)
    taken: tuple[str, ...] = ()
    if is_forced and done.kept:
        taken = tuple(checkout_paths(root, result, done.kept))
    large = place_large(root, artifacts_at(root, result))
    kept = () if is_forced else done.kept
    return Fetched(tuple(sorted({*done.written, *taken, *large})), kept)


def fetch_named(root: Path) -> Fetched:
    """Write the large artifacts that the work tree's lock file names."""
    return Fetched(place_large(root, _artifacts_here(root)), ())


def place_results(root: Path, snapshot: str, result: str) -> Fetched:
    """Write what a result commit adds to its snapshot into the work tree, index and branch untouched.

    A file stays that is neither as it was snapshotted nor what an earlier run left there: somebody edited
    it. What is written is kept out of the member's own commits, since the hub commits it.
    """
    if result == snapshot:
        return Fetched((), ())
    before, after = CommitSource(root, snapshot).files(), CommitSource(root, result).files()
    changed = [path for path, entry in after.items() if before.get(path) != entry]
    left = _Left(root)
    kept = [path for path in changed if left.is_edited(path, before.get(path), after[path])]
    wanted = [path for path in changed if path not in kept and left.id_of(path) != after[path].id]
    artifacts = artifacts_at(root, result)
    exclude(root, _outermost(changed, [artifact.path for artifact in artifacts]))
    written = checkout_paths(root, result, wanted) if wanted else []
    return Fetched(tuple(sorted(written)), tuple(sorted(kept)))


class _Left:
    """What lies in the work tree, and which of it an earlier run left there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._artifacts = {artifact.path: artifact for artifact in _artifacts_here(root)}
        self._ids: dict[str, str | None] = {}
        self._whole: dict[str, bool] = {}

    def id_of(self, path: str) -> str | None:
        """Return the blob id of a file; None where there is none."""
        if path not in self._ids:
            content = WorktreeSource(self._root).read([path]).get(path)
            self._ids[path] = blob_id(content) if content is not None else None
        return self._ids[path]

    def is_edited(self, path: str, before: Entry | None, after: Entry) -> bool:
        here = self.id_of(path)
        if here is None or here == after.id or (before is not None and here == before.id):
            return False
        return not self._is_a_runs(path, here)

    def _is_a_runs(self, path: str, here: str) -> bool:
        if path == LOCK_FILE:
            return True
        made = self._artifacts.get(path)
        if made is not None:
            return made.git == here
        for folder in (str(parent) for parent in PurePosixPath(path).parents):
            if folder in self._artifacts:
                return self._is_whole(self._artifacts[folder])
        return self._is_locked_runtime(path)

    def _is_locked_runtime(self, path: str) -> bool:
        content = WorktreeSource(self._root).read([path]).get(path) or b""
        return content.startswith(LOCK_MARK.encode())

    def _is_whole(self, folder: Artifact) -> bool:
        if folder.path not in self._whole:
            inside = [
                (path.relative_to(self._root / folder.path).as_posix(), path)
                for path in (self._root / folder.path).rglob("*")
                if path.is_file()
            ]
            entries = [
                (name, Entry(EXECUTABLE if os.access(path, os.X_OK) else FILE, blob_id(path.read_bytes())))
                for name, path in inside
            ]
            self._whole[folder.path] = tree_id(entries) == folder.git
        return self._whole[folder.path]


def _outermost(changed: Sequence[str], artifacts: Sequence[str]) -> list[str]:
    """Return the artifacts, and the changed files that lie in none of them."""
    made = set(artifacts)
    alone = [
        path
        for path in changed
        if path not in made and not any(str(parent) in made for parent in PurePosixPath(path).parents)
    ]
    return [*artifacts, *alone]


def _artifacts_here(root: Path) -> list[Artifact]:
    """Return the artifacts that the work tree's lock file names; none where it cannot be read."""
    content = WorktreeSource(root).read([LOCK_FILE]).get(LOCK_FILE)
    try:
        records = read_lock(content) if content else {}
    except UserError:
        return []
    return [artifact for record in records.values() for artifact in record.artifacts]


def place_large(root: Path, artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """Write artifacts that git does not hold from the hub's store; those that are there already stay.

    They are kept out of the member's own commits, which would put into git what the project keeps out of it.
    Raises `OutsideError`: `store-missing`, `hub-unreachable`.
    """
    missing = [artifact for artifact in artifacts if artifact.git is None]
    if not missing:
        return ()
    exclude(root, [artifact.path for artifact in missing])
    source = objects_of(root, of_url(remotes(root).get(REMOTE, ""), root))
    folders = source.listings([artifact.md5 for artifact in missing if artifact.mode == FOLDER])
    targets: dict[str, list[str]] = {}
    for artifact in missing:
        if artifact.mode == FOLDER:
            for listed in folders[artifact.md5]:
                targets.setdefault(listed.md5, []).append(f"{artifact.path}/{listed.relpath}")
        else:
            targets.setdefault(artifact.md5, []).append(artifact.path)
    lacking = {
        md5: wanted
        for md5, paths in targets.items()
        if (wanted := [path for path in paths if not _is_here(root, path, md5)])
    }
    source.bring(list(lacking), lambda md5, file: _place(root, lacking[md5], file))
    return tuple(path for paths in lacking.values() for path in paths)


def artifacts_at(root: Path, commit: str) -> list[Artifact]:
    """Return every artifact that the lock file of a commit names."""
    content = CommitSource(root, commit).read([LOCK_FILE]).get(LOCK_FILE)
    records = read_lock(content) if content else {}
    return [artifact for record in records.values() for artifact in record.artifacts]


class Objects(Protocol):
    """A hub's store, as a work tree takes from it."""

    def listings(self, digests: Sequence[str]) -> dict[str, tuple[Listed, ...]]:
        """Return the files of these folders."""

    def bring(self, digests: Sequence[str], place: Callable[[str, Path], None]) -> None:
        """Have each object placed by its digest; the file given is gone afterwards.

        Raises `OutsideError`: `store-missing`, `hub-unreachable`.
        """


class _Near:
    """The store of a hub on this machine."""

    def __init__(self, hub: Hub) -> None:
        self._store = Store(hub.store)

    def listings(self, digests: Sequence[str]) -> dict[str, tuple[Listed, ...]]:
        return {md5: self._store.listing(md5) for md5 in digests}

    def bring(self, digests: Sequence[str], place: Callable[[str, Path], None]) -> None:
        for md5 in digests:
            self._store.require(md5)
            place(md5, self._store.path(md5))


class _Far:
    """The store of a hub elsewhere: many objects come in one stream, which goes on after a break."""

    def __init__(self, root: Path, place: Address) -> None:
        self._exchange = exchange_with(place)
        self._parts = git_dir_of(root) / "lockgate" / "incoming"

    def listings(self, digests: Sequence[str]) -> dict[str, tuple[Listed, ...]]:
        found: dict[str, tuple[Listed, ...]] = {}
        self.bring(digests, lambda md5, file: found.update({md5: parse_listing(file.read_bytes())}))
        return found

    def bring(self, digests: Sequence[str], place: Callable[[str, Path], None]) -> None:
        def accept(md5: str, file: Path) -> None:
            place(md5, file)
            file.unlink(missing_ok=True)

        carried = fetch_objects(self._exchange, self._parts, digests, accept) if digests else Carried()
        if carried.absent:
            raise OutsideError(
                f"the hub does not have {carried.absent[0]}",
                "Run the stage that makes it again: lockgate run --force STAGE",
                code="store-missing",
            )


def objects_of(root: Path, address: Address) -> Objects:
    """Return the store of a work tree's hub, wherever it is."""
    return _Near(address.hub) if isinstance(address, LocalHub) else _Far(root, address)


def _is_here(root: Path, path: str, md5: str) -> bool:
    target = root / path
    return target.is_file() and md5_of_file(target) == md5


def _place(root: Path, paths: Sequence[str], file: Path) -> None:
    """Copy a file to where it belongs in the work tree; it appears whole."""
    for path in paths:
        target = root / path
        if not target.parent.resolve().is_relative_to(root.resolve()):
            raise OutsideError(
                f"{path} would be written outside of the work tree, through a link",
                f"Remove the link on the way to {path}.",
                code="path-outside",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".lockgate-{os.urandom(8).hex()}")
        try:
            Store.copy_file(file, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
