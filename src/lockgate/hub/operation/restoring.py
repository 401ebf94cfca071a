"""Bringing a hub back from its backup: unpacked beside its place, verified, and only then a hub."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub, configure, make_wake, write_wrapper
from lockgate.hub.operation.archive import (
    FORMAT,
    MANIFEST,
    PIECE_BYTES,
    Kept,
    Manifest,
    damaged,
    decompressed,
)
from lockgate.hub.reindex import reindex

_HUB_FILE = "hub.json"


class BroughtBack(msgspec.Struct, frozen=True):
    """What the hub has again."""

    hub: str
    created_at: str
    projects: tuple[str, ...]
    file_count: int
    content_bytes: int
    run_count: int
    queued_count: int
    has_runs: bool
    """Whether the folders of runs were in the backup."""
    problems: tuple[str, ...]
    """What of the chains could not be read."""


def bring_back(archive: Path, target: Path) -> BroughtBack:
    """Make the hub of a backup anew in a new or empty directory; its dispatcher is not started.

    Raises `UserError` (`backup-missing`, `backup-damaged`, `hub-not-empty`), `OutsideError`
    (`restore-unwritable`, `zstd-missing`, `git-failed`).
    """
    target = target.expanduser().absolute()
    if not archive.is_file():
        raise UserError(
            f"there is no backup {archive}", "Name the file that was written.", code="backup-missing"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is not empty", "Name a new or an empty directory.", code="hub-not-empty")
    draft = target.with_name(f".{target.name}.restoring-{os.getpid()}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        manifest, hub_file = _unpack(archive, draft)
        _check_repositories(archive, draft, manifest)
        draft.chmod(0o755)
        draft.rename(target)
        return _settle(Hub(target), manifest, hub_file)
    except OSError as error:
        raise OutsideError(
            f"the hub cannot be written: {error.strerror or error} ({error.filename or target})",
            f"Look at the room and the rights there: df -h {target.parent}",
            code="restore-unwritable",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _settle(hub: Hub, manifest: Manifest, hub_file: bytes) -> BroughtBack:
    """Write what has the place in it, build the index, and make the directory a hub last of all."""
    for folder in (hub.repositories, hub.runtimes, hub.store, hub.root / "runs", hub.root / "bin"):
        folder.mkdir(exist_ok=True)
    write_wrapper(hub)
    make_wake(hub)
    for project in hub.projects():
        configure(hub, project)
    done = reindex(hub, is_waking=False)
    for old in hub.root.glob("index.sqlite.old-*"):
        old.unlink()
    draft = hub.root / f"{_HUB_FILE}.new"
    draft.write_bytes(hub_file)
    draft.rename(hub.root / _HUB_FILE)
    return BroughtBack(
        hub=str(hub.root),
        created_at=manifest.created_at,
        projects=manifest.projects,
        file_count=len(manifest.files),
        content_bytes=sum(kept.size_bytes for kept in manifest.files),
        run_count=done.run_count,
        queued_count=done.queued_count,
        has_runs=manifest.has_runs,
        problems=done.problems,
    )


def _unpack(archive: Path, root: Path) -> tuple[Manifest, bytes]:
    """Write the archive's files; return its manifest, which all of them agree with, and `hub.json`."""
    found: dict[str, Kept] = {}
    links: list[tuple[Path, str]] = []
    manifest: Manifest | None = None
    hub_file = b""
    try:
        with decompressed(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isreg() else None
                if entry.name == MANIFEST and content is not None:
                    manifest = msgspec.json.decode(content.read(), type=Manifest)
                    break
                path = root / _inside(archive, entry.name)
                if entry.isdir():
                    path.mkdir(exist_ok=True)
                    path.chmod(entry.mode & 0o777)
                elif entry.issym():
                    links.append((path, entry.linkname))
                elif content is None:
                    raise damaged(archive, f"{entry.name} is no file")
                elif entry.name == _HUB_FILE:
                    hub_file = content.read()
                    digest = hashlib.sha256(hub_file).hexdigest()
                    found[entry.name] = Kept(entry.name, len(hub_file), digest)
                else:
                    found[entry.name] = _put(path, entry, content)
    except (tarfile.TarError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise damaged(archive, f"it is not whole ({error})") from None
    if manifest is None:
        raise damaged(archive, "it is not whole: its list of digests is missing")
    _compare(archive, manifest, found)
    # Last, so that nothing was written through one
    for path, goal in links:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(goal)
    return manifest, hub_file


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise damaged(archive, f"{name} leads out of it")
    return path


def _put(path: Path, entry: tarfile.TarInfo, content: IO[bytes]) -> Kept:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    path.chmod(entry.mode & 0o777)
    os.utime(path, (entry.mtime, entry.mtime))
    return Kept(entry.name, size, digest.hexdigest())


def _compare(archive: Path, manifest: Manifest, found: dict[str, Kept]) -> None:
    if manifest.lockgate_backup != FORMAT:
        raise damaged(archive, f"it has format {manifest.lockgate_backup}; this Lockgate knows {FORMAT}")
    told = {kept.path: kept for kept in manifest.files}
    for path in told.keys() | found.keys():
        if told.get(path) != found.get(path):
            raise damaged(archive, f"{path} is not what was backed up")
    if _HUB_FILE not in told:
        raise damaged(archive, f"{_HUB_FILE} is missing")


def _check_repositories(archive: Path, root: Path, manifest: Manifest) -> None:
    for project in manifest.projects:
        repository = root / "repositories" / f"{project}.git"
        (repository / "refs" / "heads").mkdir(parents=True, exist_ok=True)
        words = ("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        code, output, error = attempt(repository, *words)
        if code != 0:
            lines = (error + output).decode("utf-8", "replace").strip().splitlines()
            raise damaged(archive, f"git finds project {project} incomplete: {(lines or ['?'])[0]}")
