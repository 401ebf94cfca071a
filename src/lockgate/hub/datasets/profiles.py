"""What a hub's datasets look like: looked through once for each content, and kept beside the store.

`profiles/ab/cdef….csv.json`. They are made again whenever they are not there: nothing is true only in them.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lockgate.data.profile import FORM, Profile
from lockgate.data.profiling import READ_FILES, Look, LookFile, format_of, profile_apart, spread
from lockgate.data.store import Store
from lockgate.errors import LockgateError
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.datasets.catalogue import Entry
from lockgate.hub.directory import Hub
from lockgate.hub.supplying.object_lookup import ProjectObjects

_AT_ONCE = threading.Lock()


def profile_of(hub: Hub, project: str, entry: Entry) -> Profile | None:
    """Return what a dataset looks like; None: its bytes are not on the hub, or not the project's to see."""
    content = entry.content
    if content is None or not _may_see(hub, project, entry):
        return None
    place = _place(hub, entry.path, content)
    known = _kept(place)
    if known is not None:
        return known
    # One at a time: it is work, and two who ask for the same find it done
    with _AT_ONCE:
        return _kept(place) or _look_through(hub, project, entry, place)


def _may_see(hub: Hub, project: str, entry: Entry) -> bool:
    """A project's pointer may name the digest of another one's data: that is not shown."""
    if entry.git is not None:
        return True
    return entry.md5 is not None and ProjectObjects(hub, project).has(entry.md5)


def _place(hub: Hub, path: str, content: str) -> Path:
    form = posixpath.basename(path).lower().rpartition(".")[2][:10] if not content.endswith(".dir") else "dir"
    name = f"{content.removesuffix('.dir')[2:]}.{form if form.isalnum() else 'file'}.json"
    return hub.root / "profiles" / content[:2] / name


def _kept(place: Path) -> Profile | None:
    try:
        found = msgspec.json.decode(place.read_bytes(), type=Profile)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.form == FORM else None


def _look_through(hub: Hub, project: str, entry: Entry, place: Path) -> Profile | None:
    with tempfile.TemporaryDirectory(prefix="lockgate-profile-") as folder:
        try:
            look = _look(hub, project, entry, Path(folder))
        except LockgateError:
            return None
        if look is None:
            return None
        found = profile_apart(look)
    _keep(place, found)
    return found


def _keep(place: Path, found: Profile) -> None:
    """Keep it, whole or not at all; a full disk only means that it is looked at again."""
    draft = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(found))
        draft.replace(place)
    except OSError:
        draft.unlink(missing_ok=True)


def _look(hub: Hub, project: str, entry: Entry, folder: Path) -> Look | None:
    name = posixpath.basename(entry.path)
    store = Store(hub.store)
    if entry.md5 is not None and store.has(entry.md5):
        if not entry.md5.endswith(".dir"):
            return Look((_stored(store, entry.md5, name),))
        files = [
            _stored(store, each.md5, each.relpath) for each in store.listing(entry.md5) if store.has(each.md5)
        ]
        return Look(tuple(files), is_folder=True)
    if entry.git is None:
        return None
    repository = hub.repository(project)
    if not entry.is_folder:
        return Look(tuple(_written(repository, [(entry.git, name)], folder)))
    return Look(tuple(_tree(repository, entry.git, folder)), is_folder=True)


def _stored(store: Store, md5: str, name: str) -> LookFile:
    place = store.path(md5)
    return LookFile(str(place), name, place.stat().st_size)


def _tree(repository: Path, tree: str, folder: Path) -> list[LookFile]:
    """Return the files of a folder that git holds; the tables that will be read are written out."""
    _, output, _ = attempt(repository, "ls-tree", "-r", "-l", "-z", tree)
    files, blobs = [], {}
    for line in output.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        about, _, name = line.partition("\t")
        _, kind, oid, size = about.split()
        if kind == "blob":
            files.append(LookFile("", name, int(size)))
            blobs[name] = oid
    tables = sorted((file for file in files if format_of(file.name)), key=lambda file: file.name)
    chosen = [(blobs[file.name], file.name) for file in spread(tables, READ_FILES)]
    written = {file.name: file for file in _written(repository, chosen, folder)}
    return [
        written.get(file.name, file) for file in files if file.name in written or not format_of(file.name)
    ]


def _written(repository: Path, blobs: Sequence[tuple[str, str]], folder: Path) -> list[LookFile]:
    found = []
    contents = read_many(repository, [oid for oid, _ in blobs])
    for number, ((_, name), content) in enumerate(zip(blobs, contents, strict=True)):
        if content is not None:
            place = folder / str(number)
            place.write_bytes(content.content)
            found.append(LookFile(str(place), name, len(content.content)))
    return found
