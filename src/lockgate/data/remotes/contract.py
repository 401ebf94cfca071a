"""What a remote does. It keeps objects by md5 in DVC's layout: `files/md5/ab/cdef…`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

#: Before the name of an object that is being written, in the folder that it is moved to within.
DRAFT = ".new-"
#: A draft that was not written to for so long is nobody's any more.
LEFT_S = 86_400.0


def object_path(md5: str) -> str:
    """Return where an object lies below a remote's root; `md5` may end in `.dir`."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


class Remote(Protocol):
    """One place. Its methods may be called from several threads at a time.

    All raise `OutsideError`: `remote-unreachable` (passing), `remote-denied`, `remote-failed`.
    """

    @property
    def url(self) -> str:
        """The address without any secret, as shown to people."""

    @property
    def parallel(self) -> int:
        """How many objects are best under way at a time."""

    def present(self, md5s: Sequence[str]) -> frozenset[str]:
        """Return which of these objects are there."""

    def put(self, md5: str, source: Path) -> None:
        """Send an object; it is there whole or not at all.

        Raises `OutsideError` (`store-damaged`) when the file's bytes do not have this md5; nothing of them is
        left at the remote then.
        """

    def pieces(self, md5: str, start: int) -> Iterator[bytes]:
        """Yield an object's bytes from byte `start` on. What comes is not checked.

        Raises `OutsideError` (`remote-missing`) where there is no such object.
        """
