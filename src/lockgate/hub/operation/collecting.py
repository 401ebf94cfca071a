"""What of a hub's store no project needs any more, and what broken transfers left; beside a working hub."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.data.digest import parse_listing
from lockgate.data.store import Store
from lockgate.data.versions import named_by_refs
from lockgate.errors import OutsideError
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index

#: What is younger stays. Never less: whoever is told that an object is here names it within this time.
GRACE_LEAST_S = 2 * 3600
GRACE_S = 24 * 3600
_OBJECT = re.compile(r"[0-9a-f]{30}(?:\.dir)?")
#: The chain's entries name digests too, in their evidence.
_ENTRIES = ("activity.json",)


Tips = Mapping[str, Sequence[str]]
"""Project → what its refs point to."""


class Collected(msgspec.Struct, frozen=True):
    """What is not needed, or was not and is gone."""

    objects: int
    size_bytes: int
    leftovers: int
    """Files of transfers that broke off, which nobody went on with."""
    leftover_bytes: int
    kept: int
    young: int
    """Not needed, but younger than the time of grace: they stay."""
    is_removed: bool


class _Found(msgspec.Struct, frozen=True):
    path: Path
    size_bytes: int
    md5: str = ""
    """"": a leftover."""


def collect(
    hub: Hub, *, is_removed: bool = False, grace_s: int = GRACE_S, now: float | None = None
) -> Collected:
    """Find what nothing needs, and remove it if `is_removed`.

    Needed is what any commit of any ref of any project names (branches, tags, queued and running snapshots,
    the chain with all its runs), and what any recorded result made. Where that cannot be known for sure,
    nothing is removed.

    Raises `OutsideError`: `listing-damaged`, `git-failed`, `hub-unwritable`.
    """
    at = time.time() if now is None else now
    try:
        return _collect(hub, is_removed, at - max(grace_s, GRACE_LEAST_S))
    except OSError as error:
        raise OutsideError(
            f"{error.filename} cannot be read or removed: {error.strerror or error}",
            "Look at the rights of the hub's folder; what was removed before was not needed.",
            code="hub-unwritable",
        ) from error


def _collect(hub: Hub, is_removed: bool, limit: float) -> Collected:
    store, tips = Store(hub.store), _tips(hub)
    needed = _with_files(store, _named(hub, starts=tips) | _made(hub))
    unneeded: list[_Found] = []
    leftovers: list[_Found] = []
    kept = young = 0
    for path, md5, about in _stored(hub):
        if md5 in needed:
            kept += 1
        elif about.st_mtime > limit:
            young += 1
        else:
            (unneeded if md5 else leftovers).append(_Found(path, about.st_size, md5))
    leftovers += _left_behind(hub, limit)
    if is_removed:
        with store.collecting():
            # What was pushed, and what was recorded, while all that was looked through
            later = _with_files(store, (_named(hub, known=tips) | _made(hub)) - needed)
            unneeded = [each for each in unneeded if each.md5 not in later and _remove(each.path, limit)]
        leftovers = [each for each in leftovers if _remove_left(each.path, limit)]
    return Collected(
        len(unneeded),
        sum(each.size_bytes for each in unneeded),
        len(leftovers),
        sum(each.size_bytes for each in leftovers),
        kept,
        young,
        is_removed,
    )


def _tips(hub: Hub) -> Tips:
    """Return the commits that each project's refs point to."""
    return {
        project: git(hub.repository(project), "for-each-ref", "--format=%(objectname)").decode().split()
        for project in hub.projects()
    }


def _named(hub: Hub, starts: Tips | None = None, known: Tips | None = None) -> set[str]:
    """Return what the projects' commits name, also those of `starts`, without what `known` reach."""
    starts, known = starts or {}, known or {}
    found: set[str] = set()
    for project in hub.projects():
        place = hub.repository(project)
        found |= named_by_refs(place, starts.get(project, ()), known.get(project, ()), more=_ENTRIES)
    return found


def _made(hub: Hub) -> set[str]:
    if not hub.index.exists():
        return set()
    index = Index(hub.index, is_read_only=True)
    try:
        return {artifact.md5 for record in index.every_result() for artifact in record.artifacts}
    finally:
        index.close()


def _with_files(store: Store, named: set[str]) -> set[str]:
    needed = set(named)
    for md5 in sorted(named):
        if md5.endswith(".dir") and store.has(md5):
            try:
                needed.update(each.md5 for each in parse_listing(store.read(md5)))
            except msgspec.DecodeError:
                raise OutsideError(
                    f"the listing {md5} is needed and damaged, so nobody knows which files it needs",
                    f"Nothing was removed. Remove {store.path(md5)}, and from a clone that has the data: "
                    "lockgate hub send",
                    code="listing-damaged",
                ) from None
    return needed


def _stored(hub: Hub) -> Iterator[tuple[Path, str, os.stat_result]]:
    """Yield what lies in the store: path, digest ("": a file that was never finished), what it is."""
    top = hub.store / "files" / "md5"
    for folder in sorted(top.iterdir()) if top.is_dir() else ():
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            try:
                about = path.lstat()
            except FileNotFoundError:
                continue
            yield path, folder.name + path.name if _OBJECT.fullmatch(path.name) else "", about


def _left_behind(hub: Hub, limit: float) -> Iterator[_Found]:
    """Yield what transfers left that broke off long ago."""
    for top, _, names in os.walk(hub.incoming):
        for name in names:
            path = Path(top, name)
            try:
                about = path.lstat()
            except FileNotFoundError:
                continue
            if about.st_mtime <= limit:
                yield _Found(path, about.st_size)


def _remove(path: Path, limit: float) -> bool:
    """Remove an object that is as old as before; return whether it was."""
    try:
        if path.lstat().st_mtime > limit:
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _remove_left(path: Path, limit: float) -> bool:
    """Remove a leftover unless a transfer goes on with it just now, which holds its lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _remove(path, limit)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
