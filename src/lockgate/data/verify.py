"""`lockgate data verify`: every byte of the store and of the work tree's data is read again."""

from __future__ import annotations

import os
import stat

import msgspec

from lockgate.data.clone import Clone
from lockgate.data.digest import md5_of_file
from lockgate.data.linking import digest_of
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.store_listing import listing
from lockgate.data.survey import survey


class Fault(msgspec.Struct, frozen=True):
    """One thing that is not as it should be."""

    what: str
    """`damaged`, `missing`, `unreadable`, `writable` (an object that a slip may change), `edited`."""
    md5: str
    path: str
    """The object in the store, or the file of the work tree."""
    used_by: tuple[str, ...] = ()
    """Files of the work tree's pointers that these bytes are."""
    detail: str = ""


class Verified(msgspec.Struct, frozen=True):
    objects: int
    size_bytes: int
    faults: tuple[Fault, ...]


def verify(clone: Clone) -> Verified:
    """Return what was read, and every fault found. Nothing is mended, nothing overwritten."""
    outputs = [each for each in find_outputs(clone) if each.md5 and each.is_cached and not each.is_legacy]
    users = _users(clone, outputs)
    faults: list[Fault] = []
    objects = size = 0
    present: set[str] = set()
    top = f"{clone.store}/files/md5"
    for start in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        if len(start) != 2:
            continue
        for name in sorted(os.listdir(f"{top}/{start}")):
            if name.startswith("."):
                continue
            md5, path = start + name, f"{top}/{start}/{name}"
            present.add(md5)
            objects += 1
            size += os.lstat(path).st_size
            fault = _fault(md5, path, users)
            if fault:
                faults.append(fault)
    for md5, files in sorted(users.items()):
        if md5 not in present:
            faults.append(Fault("missing", md5, clone.object_path(md5), tuple(files)))
    for output in outputs:
        faults += _in_work_tree(clone, output)
    return Verified(objects, size, tuple(faults))


def _fault(md5: str, path: str, users: dict[str, list[str]]) -> Fault | None:
    from pathlib import Path  # noqa: PLC0415  (with `digest`, not for the status)

    used_by = tuple(users.get(md5, ()))
    about = os.lstat(path)
    try:
        is_whole = md5_of_file(Path(path)) == md5.removesuffix(".dir")
    except OSError as error:
        return Fault("unreadable", md5, path, used_by, error.strerror or str(error))
    if not is_whole:
        return Fault("damaged", md5, path, used_by, f"{about.st_size} bytes that have another digest")
    if stat.S_IMODE(about.st_mode) & 0o222:
        return Fault(
            "writable", md5, path, used_by, f"its rights are {stat.S_IMODE(about.st_mode):o}, not 444"
        )
    return None


def _users(clone: Clone, outputs: list[Pointed]) -> dict[str, list[str]]:
    """Return the objects that the work tree's pointers need, each with the files that it is."""
    users: dict[str, list[str]] = {}
    for output in outputs:
        md5 = output.md5 or ""
        users.setdefault(md5, []).append(output.path)
        for path, each in ((listing(clone, md5) or {}) if output.is_folder else {}).items():
            users.setdefault(each, []).append(f"{output.path}/{path}")
    return users


def _in_work_tree(clone: Clone, output: Pointed) -> list[Fault]:
    """Read the data again, whatever the state says of it."""
    found = survey(clone, output.path, None, digest_of)
    if found is None:
        return []
    files = listing(clone, output.md5 or "") if output.is_folder else {"": output.md5 or ""}
    if files is None:
        return []
    faults = []
    for path, md5 in sorted(found.files().items()):
        name = f"{output.path}/{path}" if path else output.path
        if path in files and files[path] != md5:
            faults.append(Fault("edited", files[path], name, (name,), f"its digest is {md5}"))
    return faults
