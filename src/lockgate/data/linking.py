"""Bytes from the work tree into the store and back, in the cheapest way there is, whole or not at all."""

from __future__ import annotations

import errno
import os

from lockgate.data.clone import Clone
from lockgate.data.scan import unreadable
from lockgate.errors import OutsideError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash

#: linux/fs.h: share all blocks of another file.
_FICLONE = 0x40049409
_PIECE_BYTES = 1 << 20
_READ_ONLY = 0o444
_EXECUTABLE = 0o111
#: Which is passed over unless somebody asked for it (signal(7)).
_SIGURG = 23
#: Answers of link(2) that mean "not here, not so": another way is tried.
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES, errno.ENOSYS, errno.ENOENT}
)


class ChangedError(Exception):
    """A file is not what was seen of it a moment ago."""


def digest_of(path: str, seen: tuple[int, int, int]) -> str:
    """Return a file's md5. Raises `ChangedError` unless it is, before and after, what was seen of it."""
    descriptor = _open(path)
    try:
        return _digest(descriptor, seen)
    finally:
        os.close(descriptor)


def keep(clone: Clone, path: str, seen: tuple[int, int, int]) -> str:
    """Put a file of the work tree into the store and return its md5; the file stays as it is.

    Where a link is made the file becomes read-only, and nobody may have it open for writing.
    Raises `ChangedError`, and `OutsideError` (`store-unwritable`).
    """
    descriptor = _open(path)
    try:
        about = os.fstat(descriptor)
        is_linked = (
            "hardlink" in clone.link_kinds
            and not ("reflink" in clone.link_kinds and _can_reflink(clone))
            and not about.st_mode & _EXECUTABLE
            and not os.path.islink(path)
            and _close_to_writers(descriptor, path)
        )
        is_kept = False
        try:
            md5 = _digest(descriptor, seen)
            is_kept = is_linked and _link_in(clone, descriptor, clone.object_path(md5))
        finally:
            if is_linked and not is_kept:
                os.fchmod(descriptor, about.st_mode & 0o7777)
        if not is_kept:
            _copy_in(clone, descriptor, path, md5, seen)
        return md5
    finally:
        os.close(descriptor)


def _close_to_writers(descriptor: int, path: str) -> bool:
    """Make a file read-only; False: it is another member's, and stays as it is.

    Whoever has it open for writing could change the store later, through the link: a lease is granted only
    where nobody has (fcntl(2), F_SETLEASE). Raises `ChangedError` where somebody has.
    """
    import fcntl  # noqa: PLC0415  (not where nothing changed)

    mode = os.fstat(descriptor).st_mode
    try:
        os.fchmod(descriptor, _READ_ONLY)
    except OSError:
        return False
    if hasattr(fcntl, "F_SETLEASE"):
        try:
            # The signal that would tell of a writer is one that nobody minds
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, _SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                os.fchmod(descriptor, mode & 0o7777)
                raise ChangedError(path) from None
    return True


def _copy_in(clone: Clone, descriptor: int, path: str, md5: str, seen: tuple[int, int, int]) -> None:
    target = clone.object_path(md5)
    try:
        # A young object is nothing `lockgate data gc` takes away; what is needed again is young again
        os.chmod(target, _READ_ONLY)
        # The right bytes are at hand for one that is damaged
        if os.path.samestat(os.stat(target), os.fstat(descriptor)) or is_whole(target, md5):
            return
    except FileNotFoundError:
        pass
    except PermissionError:
        # Of a store that is shared the objects are others' too, and `gc` leaves it alone
        return
    is_shared = "reflink" in clone.link_kinds and _can_reflink(clone)
    if not (is_shared and _write(clone, target, lambda draft: _reflink(descriptor, draft))):
        _write(clone, target, lambda draft: _copy(descriptor, draft))
    if _seen(descriptor) != seen:
        os.unlink(target)
        raise ChangedError(path)


def is_whole(path: str, md5: str) -> bool:
    """Return whether an object can be read and is what its name says: each of its bytes is looked at."""
    digest = _new_digest()
    try:
        with open(path, "rb", buffering=0) as file:
            piece = memoryview(bytearray(min(_PIECE_BYTES, os.fstat(file.fileno()).st_size + 1)))
            while length := file.readinto(piece):
                digest.update(piece[:length])
    except OSError:
        return False
    return digest.hexdigest() == md5.removesuffix(".dir")


def keep_bytes(clone: Clone, content: bytes, md5: str) -> None:
    """Put these bytes into the store under their digest."""
    target = clone.object_path(md5)
    if not os.path.exists(target):
        _write(clone, target, lambda draft: _write_all(draft, content))


def place(clone: Clone, md5: str, target: str, is_executable: bool = False) -> None:
    """Put an object at `target` of the work tree, in place of what is there. Its folder exists.

    Raises `OSError`.
    """
    source = clone.object_path(md5)
    kinds = ("reflink", "copy") if is_executable else clone.link_kinds
    if "reflink" in kinds and not _can_reflink(clone):
        kinds = tuple(kind for kind in kinds if kind != "reflink")
    if kinds[0] == "hardlink":
        try:
            os.link(source, target)
            return
        except OSError as error:
            if error.errno not in _NO_LINK and error.errno != errno.EEXIST:
                raise
    os.makedirs(clone.drafts, exist_ok=True)
    try:
        _move_in(clone.drafts, source, target, kinds, is_executable)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_in(os.path.dirname(target), source, target, kinds, is_executable)


def _move_in(folder: str, source: str, target: str, kinds: tuple[str, ...], is_executable: bool) -> None:
    draft = f"{folder}/lockgate-{os.urandom(8).hex()}"
    try:
        for kind in kinds:
            if _draft(kind, source, draft, is_executable):
                break
        os.rename(draft, target)
    finally:
        # rename(2) leaves both names where they are the same file already
        if os.path.lexists(draft):
            os.unlink(draft)


def _draft(kind: str, source: str, draft: str, is_executable: bool) -> bool:
    if kind == "symlink":
        os.symlink(source, draft)
        return True
    if kind == "hardlink":
        try:
            os.link(source, draft)
            return True
        except OSError as error:
            if error.errno not in _NO_LINK or not os.path.exists(source):
                raise
            return False
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        writer = os.open(draft, flags, 0o777 if is_executable else 0o666)
        try:
            if _copy(reader, writer) if kind == "copy" else _reflink(reader, writer):
                return True
        finally:
            os.close(writer)
        os.unlink(draft)
        return False
    finally:
        os.close(reader)


_reflinks: dict[str, bool] = {}


def _can_reflink(clone: Clone) -> bool:
    """Return whether the store's file system shares blocks, found out once a process."""
    if clone.store not in _reflinks:
        folder = f"{clone.store}/files/md5"
        names = [f"{folder}/.new-{os.urandom(8).hex()}" for _ in range(2)]
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        opened: list[int] = []
        try:
            os.makedirs(folder, exist_ok=True)
            for name in names:
                opened.append(os.open(name, flags, 0o600))
            _write_all(opened[0], b"x")
            _reflinks[clone.store] = _reflink(*opened)
        except OSError:
            # A full disk, a store that may only be read: another way may be open, else it says why it is not
            return False
        finally:
            for descriptor, name in zip(opened, names, strict=False):
                os.close(descriptor)
                os.unlink(name)
    return _reflinks[clone.store]


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise unreadable(path) from None
    except FileNotFoundError:
        raise ChangedError(path) from None


def _seen(descriptor: int) -> tuple[int, int, int]:
    about = os.fstat(descriptor)
    return about.st_ino, about.st_size, about.st_mtime_ns


def _digest(descriptor: int, seen: tuple[int, int, int]) -> str:
    if _seen(descriptor) != seen:
        raise ChangedError
    digest = _new_digest()
    size = seen[1]
    if size <= _PIECE_BYTES:
        digest.update(os.read(descriptor, size + 1))
    else:
        piece = memoryview(bytearray(_PIECE_BYTES))
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            while length := file.readinto(piece):
                digest.update(piece[:length])
    if _seen(descriptor) != seen:
        raise ChangedError
    return digest.hexdigest()


def _new_digest() -> _Hash:
    from hashlib import md5  # noqa: PLC0415  (not where nothing changed)

    return md5(usedforsecurity=False)


def _link_in(clone: Clone, descriptor: int, target: str) -> bool:
    """Make the open file itself the object: nothing is copied, and it appears whole."""
    for _ in range(2):
        try:
            # Only with a folder given does Python call linkat(2), which follows that link to the open file
            os.link(f"/proc/self/fd/{descriptor}", target, src_dir_fd=descriptor)
            return True
        except FileNotFoundError:
            if not os.path.exists("/proc/self/fd"):
                return False
            _make_folder(clone, target)
        except OSError as error:
            if error.errno not in _NO_LINK and error.errno != errno.EEXIST:
                raise _unwritable(clone, error) from None
            return False
    return False


def _write(clone: Clone, target: str, fill: Callable[[int], bool]) -> bool:
    """Write an object beside its place and move it there; False: `fill` could not."""
    draft = f"{os.path.dirname(target)}/.new-{os.urandom(8).hex()}"
    try:
        try:
            descriptor = _new(draft)
        except FileNotFoundError:
            # There are 256 folders, and many more objects
            _make_folder(clone, target)
            descriptor = _new(draft)
        is_moved = False
        try:
            if fill(descriptor):
                os.fchmod(descriptor, _READ_ONLY)
                os.rename(draft, target)
                is_moved = True
            return is_moved
        finally:
            os.close(descriptor)
            if not is_moved:
                os.unlink(draft)
    except OSError as error:
        raise _unwritable(clone, error) from None


def _new(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _make_folder(clone: Clone, target: str) -> None:
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
    except OSError as error:
        raise _unwritable(clone, error) from None


def _reflink(source: int, target: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415  (not on Windows, and not where nothing changed)

        fcntl.ioctl(target, _FICLONE, source)
        return True
    except (ImportError, OSError):
        return False


def _copy(source: int, target: int) -> bool:
    size = os.fstat(source).st_size
    done = 0
    while done < size and hasattr(os, "copy_file_range"):
        try:
            copied = os.copy_file_range(source, target, size - done, done, done)
        except OSError as error:
            if done or error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            break
        if not copied:
            break
        done += copied
    while done < size:
        piece = os.pread(source, _PIECE_BYTES, done)
        if not piece:
            break
        os.lseek(target, done, os.SEEK_SET)
        _write_all(target, piece)
        done += len(piece)
    return True


def _write_all(target: int, content: bytes) -> bool:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(target, rest) :]
    return True


def _unwritable(clone: Clone, error: OSError) -> OutsideError:
    return OutsideError(
        f"the store cannot keep more: {error.strerror or error}",
        f"Look at the disk (df -h) and the rights of {clone.store}, then say it again: it goes on from here.",
        code="store-unwritable",
        is_transient=True,
    )


def still_changing(path: str) -> UserError:
    return UserError(
        f"{path} changed while it was read",
        "Wait until nothing writes to it any more, then say it again.",
        code="data-changing",
    )
