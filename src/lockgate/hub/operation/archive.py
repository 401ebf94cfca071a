"""The file a hub is backed up into: a compressed tar, with a list of digests as its last entry."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from lockgate.errors import OutsideError, UserError

FORMAT = 1
#: The last entry. An archive without it is not whole.
MANIFEST = "lockgate-backup.json"
PIECE_BYTES = 1 << 20

_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One file of the archive."""

    path: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lockgate_backup: int
    version: str
    created_at: str
    projects: tuple[str, ...]
    has_runs: bool
    files: tuple[Kept, ...]


class ArchiveWriter:
    """Adds entries one after the other and remembers their digests."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.files: list[Kept] = []

    def add_bytes(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._add(path, io.BytesIO(content), len(content), mode)

    def add_file(self, path: str, source: Path) -> None:
        """Add a file as large as it is now; what is appended meanwhile is not in it.

        Raises `FileNotFoundError` where it is gone.
        """
        with source.open("rb") as file:
            found = os.fstat(file.fileno())
            self._add(path, file, found.st_size, found.st_mode & 0o777, found.st_mtime)

    def add_folder(self, path: str, mode: int) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)

    def add_link(self, path: str, target: str) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def close(self, manifest: Manifest) -> None:
        content = msgspec.json.encode(manifest)
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))
        self._tar.close()

    def _add(
        self, path: str, source: BinaryIO | io.BufferedReader, size: int, mode: int, at: float = 0.0
    ) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.mtime = size, mode, int(at)
        reader = _Hashed(source, size)
        self._tar.addfile(entry, cast(BinaryIO, reader))
        self.files.append(Kept(path, size, reader.hexdigest()))


class _Hashed:
    """Reads exactly so many bytes; what a file lost meanwhile is read as zeros."""

    def __init__(self, source: BinaryIO | io.BufferedReader, size: int) -> None:
        self._source, self._left, self._hash = source, size, hashlib.sha256()

    def read(self, count: int) -> bytes:
        count = min(count, self._left)
        piece = self._source.read(count).ljust(count, b"\0")
        self._left -= count
        self._hash.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def suffix() -> str:
    return ".tar.zst" if shutil.which("zstd") else ".tar.gz"


@contextmanager
def compressed(target: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream that compresses into a file: by zstd where that program is, else by gzip."""
    if shutil.which("zstd") is None:
        with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=4, mtime=0) as stream:
            yield cast(BinaryIO, stream)
        return
    with subprocess.Popen(
        ["zstd", "--quiet", "-3", "--stdout"], stdin=subprocess.PIPE, stdout=target, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            yield cast(BinaryIO, process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended first, and says why
        except BaseException:
            process.kill()
            raise
        words = process.stderr.read().decode("utf-8", "replace").strip()
        if process.wait() != 0:
            raise OSError(0, words.rpartition(":")[2].strip() or f"zstd ended with {process.returncode}")


@contextmanager
def decompressed(path: Path) -> Iterator[BinaryIO]:
    """Give the tar in an archive. Raises `UserError` (`backup-damaged`), `OutsideError` (`zstd-missing`)."""
    with path.open("rb", buffering=0) as file:  # zstd reads on from where the descriptor stands
        start = file.read(4)
        file.seek(0)
        if start.startswith(_GZIP):
            with gzip.GzipFile(fileobj=file) as stream:
                yield cast(BinaryIO, stream)
        elif start == _ZSTD:
            yield from _by_zstd(file)
        else:
            raise damaged(path, "it is no backup of a hub")


def _by_zstd(file: BinaryIO) -> Iterator[BinaryIO]:
    try:
        process = subprocess.Popen(
            ["zstd", "--quiet", "--decompress", "--stdout"],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise OutsideError(
            "the backup is compressed by zstd, which is not here", "Install zstd.", code="zstd-missing"
        ) from None
    assert process.stdout is not None
    try:
        yield cast(BinaryIO, process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} cannot be brought back: {why}",
        "Take another backup, or copy this one again from where it was kept.",
        code="backup-damaged",
    )
