"""`lockgate export`: a run or a whole project as one file that works and is verified without the hub."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from lockgate.activity.verify import verify
from lockgate.errors import OutsideError, UserError
from lockgate.hub.giving.crate_file import CrateWriter
from lockgate.hub.giving.export_origin import Origin, find_origin, refs_of
from lockgate.hub.giving.packing import Packer
from lockgate.hub.giving.told import told_of
from lockgate.hub.worktree.history import SEARCHED, Entry, Pinned, entries
from lockgate.runs.crate.contents import LeftOut
from lockgate.runs.runid import short


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    file: str
    size_bytes: int
    project: str
    run: str
    object_count: int
    left_out: tuple[LeftOut, ...]
    hub_key: str
    """The fingerprint of the key that signed the chain."""


def export(
    what: str | None,
    target: Path | None,
    folder: Path,
    *,
    hub: Path | None,
    project: str | None,
    is_pointers: bool,
) -> Exported:
    """Write a run, or with its project's name or None the whole project, as one file.

    The file is written whole or not at all; without a `target` it lies in `folder`, named for what it holds.
    Raises `UserError`: `run-unknown`, `run-ambiguous`, `export-exists`, what `address` raises;
    `OutsideError`: `activity-damaged`, `export-unwritable`, `store-damaged`, `hub-unreachable`, `git-failed`.
    """
    origin = find_origin(hub, project, folder)
    with contextlib.closing(origin.objects):
        return _export(origin, what, target, folder, is_pointers=is_pointers)


def _export(
    origin: Origin, what: str | None, target: Path | None, folder: Path, *, is_pointers: bool
) -> Exported:
    is_whole_project = what in (None, origin.project)
    told = told_of(_entries(origin), None if is_whole_project else what)
    refs, branch = refs_of(origin, told, is_whole_project=is_whole_project)
    name = origin.project if is_whole_project else f"{origin.project}-{short(told.main.id).lower()}"
    place = target if target is not None else folder / f"{name}.crate.zip"
    found = verify(origin.repository, origin.public_key, told.tip)
    if not found.is_intact:
        raise OutsideError(
            f"the activity chain is not what the hub wrote: {found.problems[0]}",
            "Nothing is given away of it. Look at it: lockgate log --verify",
            code="activity-damaged",
        )
    with _whole(place) as file:
        at = datetime.fromisoformat(told.main.ended_at)
        writer = CrateWriter(file, (at.year, at.month, at.day, at.hour, at.minute, at.second // 2 * 2))
        packer = Packer(origin, told, writer, is_pointers=is_pointers)
        packer.pack(refs)
        manifest = packer.manifest(branch, is_whole_project=is_whole_project)
        writer.close(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n", packer.metadata())
    return Exported(
        file=str(place),
        size_bytes=place.stat().st_size,
        project=origin.project,
        run=told.main.id,
        object_count=len(manifest.objects),
        left_out=manifest.left_out,
        hub_key=Pinned(origin.public_key, False).fingerprint,
    )


def _entries(origin: Origin) -> Iterator[Entry]:
    return entries(origin.repository, SEARCHED)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[IO[bytes]]:
    """Give a file that appears under its name when all of it is written and on the disk."""
    if target.exists():
        raise UserError(f"{target} is there already", "Name another file: -o FILE", code="export-exists")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _unwritable(target, error) from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        os.link(draft, target)  # never over another one's
    except FileExistsError:
        raise UserError(
            f"{target} is there already", "Name another file: -o FILE", code="export-exists"
        ) from None
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"{target} cannot be written: {error.strerror or error}",
        "Name a file on a disk with room: -o FILE",
        code="export-unwritable",
    )
