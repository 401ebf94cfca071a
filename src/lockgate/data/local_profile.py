"""What a clone's data looks like: its bytes as they lie in the store, or in the work tree."""

from __future__ import annotations

import os

from lockgate.data.clone import Clone
from lockgate.data.pointed import Pointed
from lockgate.data.profile import Profile
from lockgate.data.profiling import Look, LookFile, profile_apart
from lockgate.data.store_listing import listing


def profile_here(clone: Clone, output: Pointed) -> Profile | None:
    """Return it; None: its bytes are not all in the clone's store."""
    look = _look(clone, output)
    return profile_apart(look) if look is not None else None


def _look(clone: Clone, output: Pointed) -> Look | None:
    name = os.path.basename(output.path)
    if not output.is_cached:
        place = f"{clone.root}/{output.path}"
        return Look((LookFile(place, name, os.path.getsize(place)),)) if os.path.isfile(place) else None
    if output.md5 is None:
        return None
    if not output.is_folder:
        place = clone.object_path(output.md5)
        return Look((LookFile(place, name, os.path.getsize(place)),)) if clone.has(output.md5) else None
    files = []
    for path, md5 in (listing(clone, output.md5) or {}).items():
        if not clone.has(md5):
            return None
        place = clone.object_path(md5)
        files.append(LookFile(place, path, os.path.getsize(place)))
    return Look(tuple(files), is_folder=True) if files else None
