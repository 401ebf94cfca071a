"""What this clone knows of its data: which digest a file had when it had this inode, size and time of change.

One file in the git folder, which nobody needs: without it, files are read again. A file that is as young as
the look at it is not trusted, since it may change once more within the same tick of the clock (git's
Documentation/technical/racy-git).
"""

from __future__ import annotations

import time

from lockgate.data.digests import Digests
from lockgate.data.remembered import read_remembered, write_remembered
from lockgate.data.scan import Tree

_FORM = b"lockgate data state 1\n"
#: A folder as it is written: its name, its files' names, inodes with sizes and times, digests.
_Folder = tuple[str, str, bytes, bytes]
#: File systems that count whole seconds (or two, as FAT) show times that end in nine zeros.
_COARSE_NS = 1_000_000_000
#: The time of a file that is to be read again.
NEVER_NS = -1


class Known:
    """What is known of one output: its tree, and a digest for each file of it in the same order."""

    __slots__ = ("digests", "md5", "pointer", "tree")

    def __init__(self, pointer: str, md5: str, tree: Tree, digests: Digests) -> None:
        self.pointer = pointer
        """The text of the `.dvc` file that was valid when the files were placed or added."""
        self.md5 = md5
        """What these files amount to."""
        self.tree = tree
        self.digests = digests


class State:
    """All outputs of a clone, by path; each is unpacked when it is asked for."""

    def __init__(self, git_dir: str) -> None:
        self._path = f"{git_dir}/lockgate/data-state"
        self._packed: dict[str, tuple[str, str, list[_Folder]]] = read_remembered(self._path, _FORM) or {}
        self._unpacked: dict[str, dict[str, tuple[tuple[list[str], list[int]], _Folder]]] = {}
        self._is_changed = False

    def paths(self) -> list[str]:
        return list(self._packed)

    def get(self, path: str) -> Known | None:
        packed = self._packed.get(path)
        if packed is None:
            return None
        pointer, md5, folders = packed
        tree: Tree = {}
        digests = {}
        given = self._unpacked[path] = {}
        for each in folders:
            folder, names, stats, raw = each
            listed = names.split("\0") if raw else []
            tree[folder] = here = (listed, memoryview(stats).cast("q").tolist())
            digests[folder] = raw
            given[folder] = (here, each)
        return Known(pointer, md5, tree, Digests(packed=digests))

    def put(self, path: str, known: Known, looked_at_ns: int) -> None:
        """Note what is known; `looked_at_ns` is the clock (`now_ns`) before the files were last looked at."""
        from struct import pack  # noqa: PLC0415  (not where nothing changed)

        folders = []
        given = self._unpacked.get(path, {})
        for folder, here in known.tree.items():
            names, stats = here
            before = given.get(folder)
            raw = known.digests.packed(folder)
            if before is not None and before[0] is here and before[1][3] == raw:
                folders.append(before[1])
                continue
            kept = list(stats)
            # Few folders hold a file so young that each is to be looked at
            if max(kept[2::3], default=0) + 2 * _COARSE_NS >= looked_at_ns:
                for at in range(2, len(kept), 3):
                    if not is_settled(kept[at], looked_at_ns):
                        kept[at] = NEVER_NS
            folders.append((folder, "\0".join(names), pack(f"{len(kept)}q", *kept), raw))
        self._packed[path] = (known.pointer, known.md5, folders)
        self._is_changed = True

    def forget(self, path: str) -> None:
        self._is_changed |= self._packed.pop(path, None) is not None

    def save(self) -> None:
        if self._is_changed:
            write_remembered(self._path, _FORM, self._packed)


def now_ns() -> int:
    """Return the clock that a file system stamps its files with, in ns."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    return time.time_ns() - _COARSE_NS // 50


def is_settled(changed_ns: int, looked_at_ns: int) -> bool:
    """Return whether a change after the look would show in the file's time."""
    coarse = 2 * _COARSE_NS if changed_ns % _COARSE_NS == 0 else 0
    return changed_ns + coarse < looked_at_ns
