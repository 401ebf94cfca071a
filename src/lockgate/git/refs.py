"""Refs, moved by compare-and-swap, safely beside git itself: the lock is git's own `<ref>.lock`.

Free of libgit2's import cost; a `Repository` brings it along. Hooks, which have none, use `update_ref`.
Rules of the files: git's gitrepository-layout(5) and refs/files-backend.c.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lockgate.errors import OutsideError
from lockgate.git.program import attempt

if TYPE_CHECKING:
    from lockgate.git.objects import Repository

ABSENT = "0" * 40
PATIENCE_S = 5.0
FRESH = "lockgate-ref-"
#: git and we hold a ref's lock for milliseconds; one this old was left by a process that died.
STALE_LOCK_S = 120.0

_T = TypeVar("_T")


def read(repository: Repository, name: str) -> str | None:
    """Return the id a ref points at, or None when there is no such ref."""
    return repository.read_ref(name)


def list_prefix(repository: Repository, prefix: str) -> dict[str, str]:
    """Return every ref whose name begins with `prefix`, by name, sorted."""
    return repository.list_refs(prefix)


def compare_and_swap(
    repository: Repository, name: str, expected: str | None, new: str, patience_s: float = PATIENCE_S
) -> bool:
    """Point `name` at `new` if it points at `expected` (None: does not exist); return whether it did.

    Atomic against other processes, git's own included. Raises `OutsideError`: `ref-locked` (transient) when
    another process keeps the ref locked, `ref-conflict` when a ref stands where this one needs a folder.
    """
    if repository.read_ref(name) != expected:
        return False
    git_dir = repository.common_dir
    place = git_dir / name
    # Written and flushed before the lock is taken: it is held for microseconds
    with _fresh_file(git_dir, place, new) as fresh, _locked(place, patience_s):
        if repository.read_ref(name) != expected:
            return False
        if expected is None:
            _check_place(git_dir, name)
        _put(git_dir, name, fresh)
    return True


def create(repository: Path, name: str, value: str, patience_s: float = PATIENCE_S) -> bool:
    """Make a ref of a bare repository, by neither git nor libgit2; return False where it is there already.

    `value` is the id of an object that is there. Errors as `compare_and_swap`.
    """
    place = repository / name
    with _fresh_file(repository, place, value) as fresh, _locked(place, patience_s):
        if place.is_file() or b" %s\n" % name.encode() in _packed(repository):
            return False
        _check_place(repository, name)
        _put(repository, name, fresh)
    return True


def delete(repository: Repository, name: str, expected: str, patience_s: float = PATIENCE_S) -> bool:
    """Delete `name` if it points at `expected`; return whether it did. Errors as `compare_and_swap`."""
    repository.check_ref_name(name)
    return _patiently(lambda: repository.delete_ref(name, expected), repository.common_dir / name, patience_s)


def update_ref(
    repository: Path, name: str, new: str | None, old: str | None, patience_s: float = PATIENCE_S
) -> bool:
    """The same by the git program: move `name` from `old` (None: absent) to `new` (None: delete it).

    Returns whether it did; False when the ref was not at `old`.
    Raises `OutsideError`: `ref-locked` (transient), `git-failed`.
    """
    command = b"update %s\0%s\0%s\0" % (name.encode(), (new or ABSENT).encode(), (old or ABSENT).encode())

    def run() -> bool:
        code, _, error = attempt(
            repository, "update-ref", "-z", "--stdin", stdin=command, environment={"LC_ALL": "C"}
        )
        words = error.decode("utf-8", "replace").strip()
        if code == 0:
            return True
        if ".lock'" in words and "File exists" in words:
            raise _Busy(words)
        if "but expected" in words or "reference already exists" in words or "unable to resolve" in words:
            return False
        raise OutsideError(
            f"git could not move {name} in {repository}: {words}",
            f"Try it by hand: git -C {repository} update-ref {name} …",
            code="git-failed",
        )

    git_dir = repository / ".git" if (repository / ".git").is_dir() else repository
    return _patiently(run, git_dir / name, patience_s)


class _Busy(Exception):  # noqa: N818 - a signal between these functions, never seen outside
    """The ref is locked at this instant."""


def _patiently(call: Callable[[], _T], place: Path, patience_s: float) -> _T:
    """Repeat `call` while the ref is locked, with short, growing, random pauses."""
    give_up_at, pause_s = time.monotonic() + patience_s, 0.001
    while True:
        try:
            return call()
        except (_Busy, BlockingIOError):
            if time.monotonic() >= give_up_at:
                raise OutsideError(
                    f"the ref {place} stays locked by another process",
                    f"Wait and try again; if no git runs there, remove {place}.lock.",
                    code="ref-locked",
                    is_transient=True,
                ) from None
            if not _break_stale(place):
                time.sleep(pause_s * (0.5 + os.urandom(1)[0] / 256))
                pause_s = min(pause_s * 2, 0.05)


@contextmanager
def _locked(place: Path, patience_s: float) -> Iterator[None]:
    """Hold `<ref>.lock`, as git does; ours says from its first instant who holds it."""
    lock = _lock_of(place)
    named = lock.with_name(f".{os.getpid()}-{os.urandom(6).hex()}.lock")

    def take() -> None:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            named.write_bytes(b"lockgate %s %d\n" % (os.uname().nodename.encode(), os.getpid()))
            _link(named, lock)
        except FileExistsError:
            if not lock.parent.is_dir():
                raise _conflict(place) from None
            raise _Busy from None
        except FileNotFoundError:
            raise _Busy from None
        except NotADirectoryError:
            raise _conflict(place) from None
        except OSError as error:
            raise _unwritable(place, error) from None
        finally:
            with suppress(OSError):
                named.unlink()

    _patiently(take, place, patience_s)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _link(named: Path, lock: Path) -> None:
    try:
        os.link(named, lock)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without hard links: a plain lock, broken by its age alone
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


@contextmanager
def _fresh_file(git_dir: Path, place: Path, value: str) -> Iterator[Path]:
    """The new value in a file of its own, to be renamed: a reader sees the old or the new one, never half."""
    fresh = git_dir / f"{FRESH}{os.getpid()}-{os.urandom(6).hex()}"
    try:
        try:
            with fresh.open("wb") as file:
                file.write(value.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(place, error) from None
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _put(git_dir: Path, name: str, fresh: Path) -> None:
    place = git_dir / name
    try:
        _remove_empty_folders(place)
        fresh.replace(place)
    except OSError as error:
        raise _unwritable(place, error) from None


def _packed(git_dir: Path) -> bytes:
    try:
        return (git_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return b""


def _remove_empty_folders(place: Path) -> None:
    if place.is_dir():
        for folder, _, _ in os.walk(place, topdown=False):
            Path(folder).rmdir()


def _check_place(git_dir: Path, name: str) -> None:
    """Refuse a ref that would be a folder of another, as git does."""
    parents = [name.rsplit("/", cut)[0] for cut in range(1, name.count("/"))]
    packed = _packed(git_dir)
    is_under = any(b" %s\n" % parent.encode() in packed for parent in parents)
    if is_under or b" %s/" % name.encode() in packed or _has_files(git_dir / name):
        raise _conflict(git_dir / name)


def _has_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _break_stale(place: Path) -> bool:
    """Remove a lock whose holder is dead; return whether one was removed.

    Renamed away first, then looked at again: a lock taken anew in between is put back.
    """
    lock = _lock_of(place)
    aside = lock.with_name(f".{lock.name}-{os.getpid()}-{os.urandom(6).hex()}")
    try:
        seen = lock.stat()
        if not _is_holder_dead(lock.read_bytes()) and time.time() - seen.st_mtime < STALE_LOCK_S:
            return False
        lock.rename(aside)
        if aside.stat().st_ino != seen.st_ino:
            os.link(aside, lock)
        aside.unlink()
        _sweep(place)
    except OSError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove the values that killed writers never put in place."""
    git_dir = next((above.parent for above in place.parents if above.name == "refs"), place.parent)
    for fresh in git_dir.glob(f"{FRESH}*"):
        if time.time() - fresh.stat().st_mtime > STALE_LOCK_S:
            fresh.unlink(missing_ok=True)


def _is_holder_dead(lock: bytes) -> bool:
    """Whether the lock is one of ours, from this machine, and its process is gone. git leaves no name."""
    fields = lock.split()
    if len(fields) != 3 or fields[:2] != [b"lockgate", os.uname().nodename.encode()]:
        return False
    try:
        os.kill(int(fields[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def _lock_of(place: Path) -> Path:
    return place.with_name(place.name + ".lock")


def _conflict(place: Path) -> OutsideError:
    return OutsideError(
        f"{place} cannot be a ref: another ref has that name as a folder, or is its folder",
        "Delete or rename one of the two (`git for-each-ref` lists them).",
        code="ref-conflict",
    )


def _unwritable(place: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"the ref {place} cannot be written: {error.strerror or error}",
        "Look at the disk (`df -h`) and at who owns the repository.",
        code="ref-unwritable",
    )
