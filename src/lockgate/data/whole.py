"""Which objects of a clone's store were read whole and found right: no `get` reads them again.

An object is known by inode, size and time of change. Disks lose bits without a change of the time, so that
what was read longer ago than a month is read again; `lockgate data verify` reads everything at once.
"""

from __future__ import annotations

import os
import time

from lockgate.data.linking import is_whole
from lockgate.data.remembered import read_remembered, write_remembered
from lockgate.data.state import is_settled, now_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.data.clone import Clone

TRUSTED_S = 30 * 86_400
_FORM = b"lockgate store state 1\n"


class WholeObjects:
    """What is known of the objects of one clone's store."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._path = f"{clone.git_dir}/lockgate/store-state"
        self._read: dict[str, tuple[int, int, int, int]] | None = None
        """md5 → inode, size, time of change in ns, and when it was read, in seconds since 1970."""
        self._is_changed = False

    def damaged(self, md5s: Iterable[str]) -> set[str]:
        """Return which of these objects are not what their name says, or cannot be read."""
        return {md5 for md5 in md5s if not self._is_whole(md5)}

    def note(self, md5s: Iterable[str]) -> None:
        """Note objects that have just been read whole."""
        for md5 in md5s:
            seen = self._seen(md5)
            if seen is not None:
                self._note(md5, seen)

    def save(self) -> None:
        if self._is_changed:
            limit = time.time() - TRUSTED_S
            write_remembered(
                self._path, _FORM, {md5: each for md5, each in self._known().items() if each[3] > limit}
            )

    def _is_whole(self, md5: str) -> bool:
        seen = self._seen(md5)
        if seen is None:
            return False
        known = self._known().get(md5)
        if known is not None and known[:3] == seen and time.time() - TRUSTED_S < known[3] <= time.time():
            return True
        if not is_whole(self._clone.object_path(md5), md5):
            return False
        if self._seen(md5) == seen:
            self._note(md5, seen)
        return True

    def _note(self, md5: str, seen: tuple[int, int, int]) -> None:
        if is_settled(seen[2], now_ns()):
            self._known()[md5] = (*seen, int(time.time()))
            self._is_changed = True

    def _seen(self, md5: str) -> tuple[int, int, int] | None:
        try:
            about = os.stat(self._clone.object_path(md5))
        except OSError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns

    def _known(self) -> dict[str, tuple[int, int, int, int]]:
        if self._read is None:
            self._read = read_remembered(self._path, _FORM) or {}
        return self._read
