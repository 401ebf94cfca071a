"""A folder as a remote: another disk, a network share."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.data.digest import md5_of_file
from lockgate.data.remotes.contract import object_path
from lockgate.data.remotes.failures import damaged_here, denied, failed, missing, unreachable
from lockgate.data.store import Store
from lockgate.errors import OutsideError

_PIECE_BYTES = 1 << 20

#: What a network share that went away answers; it may come back.
_AWAY = frozenset({errno.ESTALE, errno.EHOSTDOWN, errno.ENOTCONN, errno.ETIMEDOUT, errno.EIO})


class FolderRemote:
    """Objects below a folder, which need not be there before the first is sent."""

    parallel = 4

    def __init__(self, folder: Path) -> None:
        self.url = str(folder)
        self._folder = folder

    def present(self, md5s: Sequence[str]) -> frozenset[str]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for md5 in md5s:
            wanted[md5[:2]].add(md5)
        found: set[str] = set()
        for prefix, some in wanted.items():
            try:
                names = os.listdir(self._folder / "files" / "md5" / prefix)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._failure(error) from error
            found |= some & {prefix + name for name in names}
        return frozenset(found)

    def put(self, md5: str, source: Path) -> None:
        if md5_of_file(source) != md5.removesuffix(".dir"):
            raise damaged_here(md5)
        Store(self._folder).put(source, md5)

    def pieces(self, md5: str, start: int) -> Iterator[bytes]:
        try:
            with (self._folder / object_path(md5)).open("rb") as reader:
                reader.seek(start)
                while piece := reader.read(_PIECE_BYTES):
                    yield piece
        except FileNotFoundError:
            raise missing(md5, self.url) from None
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> OutsideError:
        words = error.strerror or str(error)
        if isinstance(error, PermissionError):
            return denied(self.url, words)
        return unreachable(self.url, words) if error.errno in _AWAY else failed(self.url, words)
