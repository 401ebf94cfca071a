"""Bringing a run's artifacts into the work tree; what was edited meanwhile is never overwritten."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lockgate.data.digest import md5_of_file
from lockgate.data.store import Store
from lockgate.errors import OutsideError
from lockgate.git.listing import FOLDER
from lockgate.git.place import checkout_paths
from lockgate.git.program import git
from lockgate.git.worktree import remotes
from lockgate.hub.address import REMOTE, LocalHub, RemoteHub, of_url
from lockgate.hub.history import SEARCHED, entries, refresh, result_of
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.snapshot import CommitSource, WorktreeSource
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import Artifact


class Fetched(msgspec.Struct, frozen=True):
    """What was written, and what was left because it was edited since the snapshot. Paths, sorted."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def fetch_commit(root: Path, commit: str) -> None:
    """Bring one commit from the hub, whatever refs there are."""
    from lockgate.git.program import attempt  # noqa: PLC0415

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
    content = WorktreeSource(root).read([LOCK_FILE]).get(LOCK_FILE)
    records = read_lock(content) if content else {}
    return Fetched(place_large(root, [a for record in records.values() for a in record.artifacts]), ())


def place_results(root: Path, snapshot: str, result: str) -> Fetched:
    """Write what a result commit adds to its snapshot into the work tree, index and branch untouched."""
    if result == snapshot:
        return Fetched((), ())
    before, after = CommitSource(root, snapshot).files(), CommitSource(root, result).files()
    changed = [path for path, entry in after.items() if before.get(path) != entry]
    now = WorktreeSource(root).files()
    kept = [
        path for path in changed if path in now and now[path] != before.get(path) and now[path] != after[path]
    ]
    wanted = [path for path in changed if path not in kept and now.get(path) != after[path]]
    written = checkout_paths(root, result, wanted) if wanted else []
    return Fetched(tuple(sorted(written)), tuple(sorted(kept)))


def place_large(root: Path, artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """Write artifacts that git does not hold from the hub's store; those that are there already stay.

    Raises `OutsideError`: `store-missing`, `hub-unreachable`.
    """
    missing = [artifact for artifact in artifacts if artifact.git is None]
    if not missing:
        return ()
    url = remotes(root).get(REMOTE, "")
    source = _source(of_url(url, root))
    written = []
    for artifact in missing:
        if artifact.mode == FOLDER:
            for listed in source.listing(artifact.md5):
                written += _place(root, f"{artifact.path}/{listed.relpath}", listed.md5, source)
        else:
            written += _place(root, artifact.path, artifact.md5, source)
    return tuple(written)


def artifacts_at(root: Path, commit: str) -> list[Artifact]:
    """Return every artifact that the lock file of a commit names."""
    content = CommitSource(root, commit).read([LOCK_FILE]).get(LOCK_FILE)
    records = read_lock(content) if content else {}
    return [artifact for record in records.values() for artifact in record.artifacts]


class _OverSsh(Store):
    """The store of a hub behind ssh; each object comes by one `cat`."""

    def __init__(self, remote: RemoteHub) -> None:
        super().__init__(Path(remote.path).parent.parent / "store")
        self._remote = remote

    def read(self, md5: str) -> bytes:
        ssh = shlex.split(os.environ.get("GIT_SSH_COMMAND", "ssh"))
        port = ["-p", self._remote.port] if self._remote.port else []
        line = f"cat {shlex.quote(str(self.path(md5)))}"
        done = subprocess.run([*ssh, *port, self._remote.host, line], capture_output=True, check=False)
        if done.returncode != 0:
            raise OutsideError(
                f"the hub at {self._remote.host} could not send {md5}",
                f"Try: ssh {self._remote.host} {line}",
                code="hub-unreachable",
                is_transient=True,
            )
        return done.stdout


def _source(address: LocalHub | RemoteHub) -> Store:
    return Store(address.hub.store) if isinstance(address, LocalHub) else _OverSsh(address)


def _place(root: Path, path: str, md5: str, source: Store) -> list[str]:
    target = root / path
    if target.is_file() and md5_of_file(target) == md5:
        return []
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise OutsideError(
            f"{path} would be written outside of the work tree, through a link",
            f"Remove the link on the way to {path}.",
            code="path-outside",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".lockgate-{md5}")
    try:
        if isinstance(source, _OverSsh):
            draft.write_bytes(source.read(md5))
        else:
            source.require(md5)
            shutil.copyfile(source.path(md5), draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return [path]
