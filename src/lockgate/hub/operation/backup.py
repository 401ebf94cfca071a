"""Backing up a hub while it works: everything that a receipt given before the start tells of is in it.

The order makes it consistent, for each thing is written before what names it: the index first; then of each
repository the queue's refs, the chain, all other refs, and last its objects; then the store. What happens
meanwhile is like a hub that was killed in its midst, which the next dispatcher sets right.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockgate import __version__
from lockgate.errors import OutsideError, UserError
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.operation.archive import FORMAT, ArchiveWriter, Manifest, compressed, suffix
from lockgate.hub.queue import QUEUE

_CHAIN = "refs/lockgate/activity"
_DATABASES = ("index.sqlite", "search.sqlite")
#: What is made anew, or is about processes that run here.
_LEFT_OUT = frozenset(
    {
        "repositories", "store", "incoming", "runs", "runtimes", "checks", "profiles", "bin", "wake",
        "dispatcher.lock", "dispatcher.starting", "dispatcher.log", "service.lock", "hub.json",
    }
)  # fmt: skip
_PARTIAL = ".partial"
#: Objects are looked for again while some vanish: somebody packs the repository.
_LOOKS_AT_MOST = 5


class BackedUp(msgspec.Struct, frozen=True):
    path: str
    size_bytes: int
    file_count: int
    content_bytes: int
    projects: tuple[str, ...]
    seconds: float


def back_up(hub: Hub, target: Path, *, has_runs: bool = True) -> BackedUp:
    """Write a hub's backup to a file, or into a folder under a name with the time in it.

    The file appears when it is whole. Raises `UserError` (`backup-exists`, `backup-inside`) and
    `OutsideError` (`backup-unwritable`, `git-failed`, `index-unavailable`).
    """
    began = time.monotonic()
    path = _place(hub, target)
    draft = path.with_name(f".{path.name}{_PARTIAL}-{os.getpid()}")
    try:
        # Only its owner may read it: it holds the hub's key
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            with compressed(file) as stream:
                writer = ArchiveWriter(stream)
                _write(hub, writer, has_runs, path.parent)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise OutsideError(
            f"the backup cannot be written: {error.strerror or error} ({error.filename or path})",
            f"Look at the room and the rights there: df -h {path.parent}",
            code="backup-unwritable",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return BackedUp(
        path=str(path),
        size_bytes=path.stat().st_size,
        file_count=len(writer.files),
        content_bytes=sum(kept.size_bytes for kept in writer.files),
        projects=tuple(hub.projects()),
        seconds=round(time.monotonic() - began, 1),
    )


def _place(hub: Hub, target: Path) -> Path:
    target = target.expanduser().absolute()
    if target.is_dir():
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
        target = target / f"{hub.root.name}-{at}{suffix()}"
    if target.exists():
        raise UserError(f"{target} is there already", "Name another file, or a folder.", code="backup-exists")
    if target.parent.resolve().is_relative_to(hub.root.resolve()):
        raise UserError(
            f"{target} lies in the hub, and would be lost with it",
            "Name a place elsewhere.",
            code="backup-inside",
        )
    return target


def _write(hub: Hub, writer: ArchiveWriter, has_runs: bool, room: Path) -> None:
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    for name in _DATABASES:
        _add_database(writer, hub.root / name, room)
    projects = hub.projects()
    refs = {project: refs_of(hub.repository(project)) for project in projects}
    for project in projects:
        _add_repository(writer, hub.repository(project), refs[project])
    _add_folder(writer, hub.root, hub.store)
    if has_runs:
        _add_folder(writer, hub.root, hub.root / "runs")
    for path in sorted(hub.root.iterdir()):
        if path.name not in _LEFT_OUT and not path.name.startswith(_DATABASES):
            if path.is_dir():
                # An empty one counts too: without `members` a hub is open
                writer.add_folder(path.name, path.stat().st_mode & 0o777)
            _add(writer, hub.root, path)
    writer.add_bytes("hub.json", (hub.root / "hub.json").read_bytes())
    writer.close(Manifest(FORMAT, __version__, created_at, tuple(projects), has_runs, tuple(writer.files)))


def refs_of(repository: Path) -> dict[str, str]:
    """Return every ref: first what is queued, then the chain, then all others.

    A run leaves the queue once the chain tells its end, and its branch has moved by then. Read the other way
    round, one that ended meanwhile would be in neither.
    """
    found: dict[str, str] = {}
    for pattern in (QUEUE, _CHAIN, "refs/"):
        listed = git(repository, "for-each-ref", "--format=%(refname) %(objectname)", pattern)
        for line in listed.decode("utf-8", "surrogateescape").splitlines():
            name, _, oid = line.partition(" ")
            if pattern != "refs/" or not name.startswith((QUEUE, _CHAIN)):
                found[name] = oid
    return found


def _add_repository(writer: ArchiveWriter, repository: Path, refs: dict[str, str]) -> None:
    base = f"repositories/{repository.name}"
    lines = [f"{oid} {name}\n" for name, oid in sorted(refs.items())]
    packed = "# pack-refs with: sorted\n" + "".join(lines)
    writer.add_bytes(f"{base}/packed-refs", packed.encode("utf-8", "surrogateescape"))
    root = repository.parents[1]
    for name in ("HEAD", "config", "description", "shallow", "info", "logs"):
        if (repository / name).exists():
            _add(writer, root, repository / name)
    _add_objects(writer, root, repository / "objects")


def _add_objects(writer: ArchiveWriter, root: Path, folder: Path) -> None:
    """Add all objects. Where git packs them anew meanwhile, those that are gone lie in a pack that is new."""
    added: set[Path] = set()
    for _ in range(_LOOKS_AT_MOST):
        gone = False
        for path in _below(folder):
            if path not in added:
                gone = not _add(writer, root, path) or gone
                added.add(path)
        if not gone:
            return


def _add_folder(writer: ArchiveWriter, root: Path, folder: Path) -> None:
    for path in _below(folder):
        _add(writer, root, path)


def _below(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder, packs before their indexes; what is half-written or gone is left out."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda each: each.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith(("tmp_", "incoming-")) or entry.name.endswith(".lock"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        else:
            yield Path(entry.path)


def _add(writer: ArchiveWriter, root: Path, path: Path) -> bool:
    """Add what lies there; return False where it is gone."""
    name = str(path.relative_to(root))
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            writer.add_link(name, str(path.readlink()))
        elif stat.S_ISDIR(mode):
            _add_folder(writer, root, path)
        elif stat.S_ISREG(mode):
            writer.add_file(name, path)
    except FileNotFoundError:
        return False
    return True


def _add_database(writer: ArchiveWriter, path: Path, room: Path) -> None:
    """Add a database as it is at one moment, by SQLite's own backup; others may write to it meanwhile."""
    if not path.exists():
        return
    with tempfile.TemporaryDirectory(prefix=".lockgate-backup-", dir=room) as folder:
        copy = Path(folder) / path.name
        try:
            with (
                contextlib.closing(sqlite3.connect(path, timeout=60.0)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(copy)) from error
            raise OutsideError(
                f"{path} cannot be copied: {error}",
                "Look at the disk (df -h), and: lockgate hub doctor",
                code="index-unavailable",
                is_transient=True,
            ) from error
        writer.add_file(path.name, copy)
