"""A file system of `fsspec` as a remote: ssh, and what else is installed (WebDAV, HDFS, …)."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fsspec.spec import AbstractFileSystem

from lockgate.data.digest import md5_of_file
from lockgate.data.remotes.contract import DRAFT, LEFT_S, object_path
from lockgate.data.remotes.failures import damaged_here, denied, failed, missing, unreachable
from lockgate.errors import LockgateError

_PIECE_BYTES = 1 << 20


class FileSystemRemote:
    """Objects below a folder of a file system that is reached by `fsspec`."""

    parallel = 8

    def __init__(
        self, system: AbstractFileSystem, root: str, url: str, passing: tuple[type[Exception], ...] = ()
    ) -> None:
        """`passing`: errors of the library's own that mean that the other side is away."""
        self.url = url
        self._passing: tuple[type[Exception], ...] = (ConnectionError, TimeoutError, *passing)
        self._system = system
        self._root = root.rstrip("/")
        self._made: set[str] = set()
        self._making = threading.Lock()

    def present(self, md5s: Sequence[str]) -> frozenset[str]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for md5 in md5s:
            wanted[md5[:2]].add(md5)
        found: set[str] = set()
        for prefix, some in wanted.items():
            try:
                with self._failures(prefix):
                    listed = self._system.ls(f"{self._root}/files/md5/{prefix}", detail=True, refresh=True)
            except LockgateError as error:
                if error.code != "remote-missing":
                    raise
                continue
            names = {str(each["name"]).rstrip("/").rpartition("/")[2]: each for each in listed}
            found |= some & {prefix + name for name in names}
            self._remove_left(each for name, each in names.items() if name.startswith(DRAFT))
        return frozenset(found)

    def _remove_left(self, drafts: Iterable[Mapping[str, Any]]) -> None:
        """Remove what killed calls left half written."""
        limit = datetime.now(UTC) - timedelta(seconds=LEFT_S)
        for draft in drafts:
            changed_at = draft.get("mtime")
            if isinstance(changed_at, datetime) and changed_at < limit:
                # Of another member they may be: then they stay
                with suppress(OSError, *self._passing):
                    self._system.rm_file(draft["name"])

    def put(self, md5: str, source: Path) -> None:
        if md5_of_file(source) != md5.removesuffix(".dir"):
            raise damaged_here(md5)
        target = f"{self._root}/{object_path(md5)}"
        folder = target.rpartition("/")[0]
        draft = f"{folder}/{DRAFT}{secrets.token_hex(8)}"
        with self._failures(md5):
            self._make(folder)
            try:
                self._system.put_file(str(source), draft)
                self._system.mv(draft, target)
            except BaseException:
                with suppress(OSError, *self._passing):
                    self._system.rm_file(draft)
                raise

    def pieces(self, md5: str, start: int) -> Iterator[bytes]:
        with (
            self._failures(md5),
            self._system.open(f"{self._root}/{object_path(md5)}", "rb", block_size=_PIECE_BYTES) as file,
        ):
            file.seek(start)
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def _make(self, folder: str) -> None:
        with self._making:
            if folder not in self._made:
                self._system.makedirs(folder, exist_ok=True)
                self._made.add(folder)

    @contextmanager
    def _failures(self, md5: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise missing(md5, self.url) from error
        except PermissionError as error:
            raise denied(self.url, _words(error)) from error
        except self._passing as error:
            raise unreachable(self.url, _words(error)) from error
        except OSError as error:
            raise failed(self.url, _words(error)) from error


def _words(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error).partition("\n")[0] or type(error).__name__
