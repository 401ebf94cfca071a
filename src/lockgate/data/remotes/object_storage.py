"""S3, Google Cloud Storage, Azure and web servers by `obstore`."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import obstore
from obstore import exceptions
from obstore.store import ObjectStore

from lockgate.data.digest import md5_of
from lockgate.data.remotes.contract import object_path
from lockgate.data.remotes.failures import damaged_here, denied, failed, missing, read_only, unreachable
from lockgate.errors import OutsideError

_PIECE_BYTES = 4 << 20
#: Up to this size an object is read whole, checked, and sent by one request; a larger one goes in parts.
_WHOLE_BYTES = 8 << 20
#: From so many objects on it is cheaper to list the 256 folders that they lie in than to ask for each.
_LISTED_FROM = 1000


class ObjectStorage:
    """One bucket (or container, or site), below a prefix."""

    parallel = 32

    def __init__(
        self, store: ObjectStore, prefix: str, url: str, *, can_list: bool, is_read_only: bool
    ) -> None:
        self.url = url
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._can_list = can_list
        self._is_read_only = is_read_only

    def present(self, md5s: Sequence[str]) -> frozenset[str]:
        if len(md5s) < _LISTED_FROM or not self._can_list:
            return self._asked(md5s)
        wanted: dict[str, set[str]] = defaultdict(set)
        for md5 in md5s:
            wanted[md5[:2]].add(md5)
        with ThreadPoolExecutor(self.parallel) as pool:
            return frozenset().union(*pool.map(self._listed, wanted.items()))

    def put(self, md5: str, source: Path) -> None:
        if self._is_read_only:
            raise read_only(self.url)
        path = self._path(md5)
        plain = md5.removesuffix(".dir")
        with self._failures(md5):
            if source.stat().st_size <= _WHOLE_BYTES:
                content = source.read_bytes()
                if md5_of(content) != plain:
                    raise damaged_here(md5)
                obstore.put(self._store, path, content, use_multipart=False)
                return
            digest = hashlib.md5(usedforsecurity=False)
            obstore.put(self._store, path, _hashed(source, digest), use_multipart=True)
            if digest.hexdigest() != plain:
                obstore.delete(self._store, path)
                raise damaged_here(md5)

    def pieces(self, md5: str, start: int) -> Iterator[bytes]:
        with self._failures(md5):
            if start:
                size = obstore.head(self._store, self._path(md5))["size"]
                if start >= size:
                    return
                answer = obstore.get(self._store, self._path(md5), options={"range": {"offset": start}})
            else:
                answer = obstore.get(self._store, self._path(md5))
            for piece in answer.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    def _path(self, md5: str) -> str:
        return self._prefix + object_path(md5)

    def _asked(self, md5s: Sequence[str]) -> frozenset[str]:
        def is_there(md5: str) -> bool:
            try:
                with self._failures(md5):
                    obstore.head(self._store, self._path(md5))
            except OutsideError as error:
                if error.code == "remote-missing":
                    return False
                raise
            return True

        with ThreadPoolExecutor(self.parallel) as pool:
            return frozenset(md5 for md5, found in zip(md5s, pool.map(is_there, md5s), strict=True) if found)

    def _listed(self, wanted: tuple[str, set[str]]) -> frozenset[str]:
        folder, md5s = wanted
        path = f"{self._prefix}files/md5/{folder}/"
        with self._failures(folder):
            names = {
                each["path"].rpartition("/")[2]
                for some in obstore.list(self._store, path, chunk_size=1000)
                for each in some
            }
        return frozenset(md5 for md5 in md5s if md5[2:] in names)

    @contextmanager
    def _failures(self, md5: str) -> Iterator[None]:
        """Tell in words what goes wrong inside."""
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise failed(self.url, "there is no such bucket") from error
            raise missing(md5, self.url) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise denied(self.url, _words(error)) from error
        except exceptions.GenericError as error:
            if _STATUS.search(str(error)) and "status code: 5" not in str(error):
                raise failed(self.url, _words(error)) from error
            raise unreachable(self.url, _words(error)) from error
        except exceptions.BaseError as error:
            raise failed(self.url, _words(error)) from error


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _hashed(source: Path, digest: _Digest) -> Iterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            yield piece


_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.S)
_STATUS = re.compile(r"status code: (\d{3} [^:\n]*)")
_CAUSE = re.compile(r'"((?:tcp|dns|tls|invalid peer|connection)[^"\n]*)"', re.I)


def _words(error: Exception) -> str:
    """Return what the server or the network said, of the many lines in which `obstore` wraps it."""
    text = str(error)
    for pattern in (_MESSAGE, _STATUS, _CAUSE):
        if found := pattern.search(text):
            return found[1].strip().rstrip(".")
    return text.partition("\n")[0].rpartition(" - ")[2].strip()
