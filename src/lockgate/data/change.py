"""What `lockgate data get` changes: what differs between the files that were found and those wanted."""

from __future__ import annotations

from lockgate.data.scan import count, each_seen
from lockgate.data.store_listing import listings_differ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.data.clone import Clone
    from lockgate.data.pointed import Pointed
    from lockgate.data.state import Known
    from lockgate.data.survey import Survey
    from lockgate.data.whole import WholeObjects

    #: Path → md5 of what is there and shall not be, and of what shall be there and is not.
    Change = tuple[dict[str, str], dict[str, str]]


def change_between_listings(
    clone: Clone, store: WholeObjects, output: Pointed, found: Survey | None, known: Known | None
) -> Change | None:
    """Compare two listings instead of all files, where the work tree is what one of them says.

    None: that cannot be done.
    """
    md5 = output.md5 or ""
    if found is None or known is None or not found.is_as_known or store.damaged({known.md5, md5}):
        return None
    change = listings_differ(clone, known.md5, md5, count(found.tree))
    if change is None:
        return None
    new = [path for path in change[1] if path not in change[0]]
    return None if seen_at(found, new) else change


def change_of(found: Survey | None, wanted: dict[str, str]) -> Change:
    """Compare all files; `wanted`: path → md5."""
    there = found.files() if found is not None else {}
    return (
        {path: md5 for path, md5 in there.items() if wanted.get(path) != md5},
        {path: md5 for path, md5 in wanted.items() if there.get(path) != md5},
    )


def seen_at(found: Survey, paths: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Return inode, size and time of those of the paths that were there."""
    seen: dict[str, tuple[int, int, int]] = {}
    for folder, here in _by_folder(paths).items():
        names, stats = found.tree.get(folder, ([], []))
        there = dict(zip(names, each_seen(stats), strict=True))
        seen.update((folder + name, there[name]) for name in here if name in there)
    return seen


def is_made(found: Survey | None, now: Survey, change: Change) -> bool:
    """Return whether the files are those that were found, changed so, and nothing else.

    A folder that was not looked at again is as it was found.
    """
    before = found.tree if found is not None else {}
    gone, come = (_by_folder(paths) for paths in change)
    looked_at = {folder for folder, here in now.tree.items() if before.get(folder) is not here}
    for folder in looked_at | gone.keys() | come.keys() | (before.keys() - now.tree.keys()):
        wanted = _files_in(found, folder)
        for name in gone.get(folder, ()):
            wanted.pop(name, None)
        wanted.update((name, change[1][folder + name]) for name in come.get(folder, ()))
        if _files_in(now, folder) != wanted:
            return False
    return True


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return folders as a tree names them → names in them."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        cut = path.rfind("/") + 1
        folders.setdefault(path[:cut], []).append(path[cut:])
    return folders


def _files_in(found: Survey | None, folder: str) -> dict[str, str]:
    if found is None or folder not in found.tree:
        return {}
    return dict(zip(found.tree[folder][0], found.digests[folder], strict=True))
