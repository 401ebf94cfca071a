"""The store: bytes by md5 in DVC 3's layout (`files/md5/ab/cdef…`), so that DVC can read it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.data.digest import Listed, md5_of, md5_of_file, parse_listing
from lockgate.errors import OutsideError

#: An object that was named this lately is not marked as named again.
_NAMED_LATELY_S = 3600


class Store:
    """A folder of objects. Each is written once, whole, and never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, md5: str) -> Path:
        """Return where an object lies or would lie; `md5` may end in `.dir`."""
        return self.folder / "files" / "md5" / md5[:2] / md5[2:]

    def has(self, md5: str) -> bool:
        return self.path(md5).exists()

    def keep(self, md5: str) -> bool:
        """Return whether an object is here; if so it counts as new, since it is about to be named.

        Whoever then names it in a commit need not fear that it is collected in between: what is collected is
        older, and is looked at again while nobody is here (see `collecting`).
        """
        path = self.path(md5)
        try:
            if time.time() - path.stat().st_mtime < _NAMED_LATELY_S:
                return True
            with self._guarded(fcntl.LOCK_SH):
                os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unwritable(md5, error) from error
        return True

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Hold off whoever is about to name an object, for the moment in which objects are removed."""
        with self._guarded(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _guarded(self, how: int) -> Iterator[None]:
        handle = os.open(self.folder / "collecting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def require(self, md5: str) -> None:
        """Raise `OutsideError` (`store-missing`) unless the object is here."""
        if not self.has(md5):
            raise self._missing(md5)

    def put(self, source: Path, md5: str) -> None:
        """Copy a file in under its digest, by reference where the file system can (reflink)."""
        if not self.keep(md5):
            self._place(md5, lambda target: _copy(source, target))

    def put_pieces(self, pieces: Iterable[bytes], md5: str, unlike: Exception) -> None:
        """Keep these bytes if they have this digest, and raise `unlike` where they have not."""

        def write(target: Path) -> None:
            digest = hashlib.md5(usedforsecurity=False)
            with target.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != md5.removesuffix(".dir"):
                raise unlike

        self._place(md5, write)

    def put_bytes(self, content: bytes) -> str:
        """Keep these bytes and return their digest."""
        md5 = md5_of(content)
        self.put_under(content, md5)
        return md5

    def put_under(self, content: bytes, md5: str) -> None:
        """Keep these bytes under a digest that the caller has seen to be right."""
        if not self.keep(md5):
            self._place(md5, lambda target: target.write_bytes(content))

    def put_listing(self, content: bytes) -> str:
        """Keep a folder's listing and return its digest, ending in `.dir`."""
        md5 = md5_of(content) + ".dir"
        if not self.keep(md5):
            self._place(md5, lambda target: target.write_bytes(content))
        return md5

    def read(self, md5: str) -> bytes:
        try:
            return self.path(md5).read_bytes()
        except FileNotFoundError:
            raise self._missing(md5) from None

    def listing(self, md5: str) -> tuple[Listed, ...]:
        """Return the files of a folder kept under `….dir`."""
        return parse_listing(self.read(md5))

    def copy_to(self, md5: str, target: Path) -> None:
        """Write an object's bytes to a file, by reference where the file system can.

        Raises `OutsideError`: `store-missing`, `store-unwritable` (the file cannot be written).
        """
        self.require(md5)
        try:
            _copy(self.path(md5), target)
        except OSError as error:
            raise OutsideError(
                f"{target} cannot be written: {error.strerror or error}",
                f"Look at the disk and the rights of {target.parent}.",
                code="store-unwritable",
                is_transient=True,
            ) from error

    def adopt(self, file: Path, md5: str) -> None:
        """Move a file in under its digest, which the caller has seen to be right; both on one file system."""
        path = self.path(md5)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file.chmod(0o444)
            file.replace(path)
        except OSError as error:
            raise self._unwritable(md5, error) from error

    def adopt_new(self, file: Path, md5: str) -> None:
        """As `adopt`; where the object is here already, the file is thrown away."""
        if self.keep(md5):
            file.unlink()
        else:
            self.adopt(file, md5)

    @staticmethod
    def copy_file(source: Path, target: Path) -> None:
        """Copy a file, by reference where the file system can. Raises OSError."""
        _copy(source, target)

    def check(self, md5: str) -> bool:
        """Return whether an object is here and still has the digest it is kept under."""
        path = self.path(md5)
        return path.exists() and md5_of_file(path) == md5.removesuffix(".dir")

    def _place(self, md5: str, write: Callable[[Path], object]) -> None:
        path = self.path(md5)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            os.close(handle)
            temporary = Path(name)
            try:
                write(temporary)
                temporary.chmod(0o444)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unwritable(md5, error) from error

    def _unwritable(self, md5: str, error: OSError) -> OutsideError:
        return OutsideError(
            f"the store cannot keep {md5}: {error.strerror or error}",
            f"Look at the disk and the rights of {self.folder}.",
            code="store-unwritable",
            is_transient=True,
        )

    def _missing(self, md5: str) -> OutsideError:
        return OutsideError(
            f"{md5} is not in the store {self.folder}",
            "Run the stage that makes it again: lockgate run --force STAGE",
            code="store-missing",
        )


def _copy(source: Path, target: Path) -> None:
    """Copy within the kernel, sharing blocks where the file system allows; by hand where it does not."""
    size = source.stat().st_size
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reader, target.open("wb") as writer:
        done = 0
        while done < size:
            try:
                copied = os.copy_file_range(reader.fileno(), writer.fileno(), size - done)
            except OSError as error:
                if done or error.errno not in _NO_COPY_RANGE:
                    raise
                shutil.copyfileobj(reader, writer)
                return
            if not copied:
                return
            done += copied


#: Answers of copy_file_range(2) that mean "not here": copy by hand.
_NO_COPY_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
