"""A folder as a remote: another disk, a network share."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lockgate.data.digest import md5_of_file
from lockgate.data.remotes.contract import DRAFT, LEFT_S, object_path
from lockgate.data.remotes.failures import damaged_here, failed, missing, unreachable
from lockgate.data.store import Store
from lockgate.errors import OutsideError

_PIECE_BYTES = 1 << 20
_READ_ONLY = 0o444
_READING, _WRITING = "read", "written to"

#: What a network share that went away answers; it may come back.
_AWAY = frozenset({errno.ESTALE, errno.EHOSTDOWN, errno.ENOTCONN, errno.ETIMEDOUT, errno.EIO})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


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
            folder = self._folder / "files" / "md5" / prefix
            try:
                names = os.listdir(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._failure(error, _READING) from error
            found |= some & {prefix + name for name in names}
            _remove_left([folder / name for name in names if name.startswith(DRAFT)])
        return frozenset(found)

    def put(self, md5: str, source: Path) -> None:
        if md5_of_file(source) != md5.removesuffix(".dir"):
            raise damaged_here(md5)
        target = self._folder / object_path(md5)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f"{DRAFT}{secrets.token_hex(8)}")
            try:
                Store.copy_file(source, draft)
                draft.chmod(_READ_ONLY)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._failure(error, _WRITING) from error

    def pieces(self, md5: str, start: int) -> Iterator[bytes]:
        try:
            with (self._folder / object_path(md5)).open("rb") as reader:
                reader.seek(start)
                while piece := reader.read(_PIECE_BYTES):
                    yield piece
        except FileNotFoundError:
            raise missing(md5, self.url) from None
        except OSError as error:
            raise self._failure(error, _READING) from error

    def _failure(self, error: OSError, doing: str) -> OutsideError:
        words = error.strerror or str(error)
        if error.errno in _AWAY:
            return unreachable(self.url, words)
        if error.errno in _DENIED:
            place = f": {error.filename}" if error.filename else ""
            return OutsideError(
                f"the remote {self.url} may not be {doing}: {words}{place}",
                f"Whoever it belongs to gives you the right (ls -ld {shlex.quote(self.url)}); "
                "or take another remote: --remote NAME|URL",
                code="remote-denied",
            )
        if error.errno in _FULL:
            return OutsideError(
                f"the remote {self.url} is full: {words}",
                f"Make room there (df -h {shlex.quote(self.url)}); what has arrived is kept, so call again.",
                code="remote-failed",
            )
        if isinstance(error, FileExistsError | NotADirectoryError):
            return OutsideError(
                f"the remote {self.url} is no folder"
                if self._folder.is_file()
                else f"a file is in the way at the remote {self.url}: {error.filename}",
                "Correct the address in lockgate.toml or .dvc/config, or move the file away.",
                code="remote-failed",
            )
        return failed(self.url, words)


def _remove_left(drafts: Iterable[Path]) -> None:
    """Remove what killed calls left half written. A draft that is written to is young."""
    limit = time.time() - LEFT_S
    for draft in drafts:
        # Of another member they may be, or the whole folder read only: then they stay
        with contextlib.suppress(OSError):
            if draft.stat().st_mtime < limit:
                draft.unlink()
