"""A job's folder: the workspace that holds its inputs and nothing else, made, checked, taken away."""

# Plain calls of the system: this runs for every job, and Path costs as much again.
# ruff: noqa: PTH101, PTH102, PTH106, PTH108, PTH110, PTH114, PTH115, PTH123, PTH211

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.runs.jobscript import PROGRAMS

if sys.platform == "linux":
    import fcntl

SCRIPT, PID = "job.sh", "pid"
_FOLDERS = ("workspace", "tmp", PROGRAMS)
#: The script's last line, behind its `exit`: no file of its own, as making files is most of the cost.
_INPUTS = b"\n# inputs: "
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_CHUNK = 1 << 30
#: linux/fs.h: share the blocks of another file, on file systems that can (Btrfs, XFS, …).
_FICLONE = 0x40049409


class Input(msgspec.Struct, frozen=True):
    """One path to place in a workspace: a file from `content` or `source`, a link, or a folder."""

    path: str
    """In the workspace, with `/`."""
    content: Callable[[], bytes] | None = None
    """Gives a file's bytes when they are wanted."""
    source: Path | None = None
    """A file to copy."""
    link: str | None = None
    """A symbolic link's target."""
    is_folder: bool = False
    is_executable: bool = False


class Placed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An input as it lay in the workspace when the job had not started."""

    path: str
    origin: str
    """What it must still hold: `=` and a digest, `<` and the file it was copied from, `>` and a target."""
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0


Inventory = tuple[Placed, ...]


def lay_out(folder: Path, script: str, inputs: Iterable[Input], makes: Iterable[str] = ()) -> Inventory:
    """Make a job's folder: job.sh, `workspace` with the inputs (read-only, sharing no inode with the store)
    and the folders its `makes` lie in, `tmp`, and `programs` with nothing in it.

    A folder laid out before, or whose job has started, is left as it is; one that was cut short is begun
    again. The script is written last, with the inventory in its last line.

    Raises `UserError` (`input-path`) for a path that leaves the workspace, `OutsideError` (`job-folder`)
    when the disk refuses.
    """
    root = os.fspath(folder)
    try:
        try:
            os.mkdir(root)
        except FileExistsError:
            kept = inventory(folder)
            if kept is not None:
                return kept
            clean(folder)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        for name in _FOLDERS:
            os.mkdir(f"{root}/{name}")
        placed = _place(f"{root}/workspace", inputs, makes)
        listed = json.dumps(msgspec.to_builtins(placed)).encode()
        text = script.encode("utf-8", "surrogateescape").rstrip(b"\n") + _INPUTS + listed + b"\n"
        _write(f"{root}/{SCRIPT}", text, 0o755)
    except OSError as error:
        raise OutsideError(
            f"the job's folder {root} could not be laid out: {error.strerror or error}",
            "Make room on that disk, or make the folder writable; then retry the run.",
            code="job-folder",
            is_transient=True,
        ) from None
    return placed


def inventory(folder: Path) -> Inventory | None:
    """Return the inputs as laid out; None: the folder is not laid out to its end, nor has its job started."""
    root = os.fspath(folder)
    try:
        listed = _read(f"{root}/{SCRIPT}").rpartition(_INPUTS)[2]
        return msgspec.convert(json.loads(listed), Inventory)
    except (FileNotFoundError, ValueError):
        return () if os.path.exists(f"{root}/{PID}") else None


def _place(workspace: str, inputs: Iterable[Input], makes: Iterable[str]) -> Inventory:
    made = {""}
    placed = []
    for each in inputs:
        parent, _, name = each.path.rpartition("/")
        if name in _NO_NAMES or each.path[0] == "/":
            raise _outside(each.path)
        if each.is_folder:
            _make_folder(workspace, each.path, made)
            continue
        _make_folder(workspace, parent, made)
        target = f"{workspace}/{each.path}"
        if each.link is not None:
            os.symlink(each.link, target)
            origin, found = f">{each.link}", os.lstat(target)
        else:
            origin, found = _place_file(target, each)
        placed.append(
            Placed(each.path, origin, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        )
    for path in makes:
        _make_folder(workspace, path.rstrip("/").rpartition("/")[0], made)
    return tuple(placed)


_NO_NAMES = ("", ".", "..")


def _make_folder(workspace: str, path: str, made: set[str]) -> None:
    if path in made:
        return
    parent, _, name = path.rpartition("/")
    if name in _NO_NAMES or path[0] == "/":
        raise _outside(path)
    _make_folder(workspace, parent, made)
    try:
        os.mkdir(f"{workspace}/{path}")
    except FileExistsError:
        if os.path.islink(f"{workspace}/{path}"):
            raise _outside(path) from None
    made.add(path)


def _outside(path: str) -> UserError:
    return UserError(
        f"{path!r} does not lie in the workspace",
        "Needs and makes are paths inside the project, not through a link and without `..`.",
        code="input-path",
    )


def _place_file(target: str, each: Input) -> tuple[str, os.stat_result]:
    mode = 0o555 if each.is_executable else 0o444
    descriptor = os.open(target, _CREATE, mode)
    try:
        if each.source is not None:
            _copy(each.source, descriptor)
            origin = f"<{each.source}"
        else:
            content = each.content() if each.content is not None else b""
            _write_all(descriptor, content)
            origin = "=" + hashlib.blake2b(content, digest_size=20).hexdigest()
        return origin, os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, target: int) -> None:
    """Give the open file `target` the content of `source`: sharing its blocks where the disk can."""
    with source.open("rb", buffering=0) as file:
        if sys.platform == "linux":
            try:
                fcntl.ioctl(target, _FICLONE, file.fileno())
                return
            except OSError:
                pass
            try:
                while os.copy_file_range(file.fileno(), target, _CHUNK):
                    pass
                return
            except OSError:
                os.lseek(file.fileno(), 0, os.SEEK_SET)
                os.lseek(target, 0, os.SEEK_SET)
                os.ftruncate(target, 0)
        while chunk := file.read(1 << 20):
            _write_all(target, chunk)


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content) if content else 0
    rest = memoryview(content)[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _write(path: str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while chunk := os.read(descriptor, 1 << 20):
            content += chunk
        return content
    finally:
        os.close(descriptor)


def altered(folder: Path, inputs: Inventory) -> tuple[str, ...]:
    """Return the inputs that the job changed or removed. Content is read only where the file's times, size
    or inode moved; a change of mode alone is none."""
    workspace = f"{os.fspath(folder)}/workspace"
    found = []
    for placed in inputs:
        path = f"{workspace}/{placed.path}"
        try:
            now = os.lstat(path)
            is_same = (now.st_ctime_ns, now.st_mtime_ns, now.st_size, now.st_ino) == (
                placed.ctime_ns,
                placed.mtime_ns,
                placed.size,
                placed.inode,
            ) or _is_same(path, placed.origin, now)
        except OSError:
            is_same = False
        if not is_same:
            found.append(placed.path)
    return tuple(found)


def _is_same(path: str, origin: str, now: os.stat_result) -> bool:
    kind, value = origin[0], origin[1:]
    if kind == ">":
        return stat.S_ISLNK(now.st_mode) and os.readlink(path) == value
    if not stat.S_ISREG(now.st_mode):
        return False
    if not now.st_mode & stat.S_IRUSR:
        os.chmod(path, 0o400)
    if kind == "<":
        return filecmp.cmp(path, value, shallow=False)
    digest = hashlib.blake2b(digest_size=20)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == value


def clean(folder: Path) -> None:
    """Remove `workspace` and `tmp` with all that a job did to them; its script, log and records stay.

    Raises `OutsideError` (`job-folder`) for what cannot be removed.
    """
    root = os.fspath(folder)
    for name in _FOLDERS:
        path = f"{root}/{name}"
        try:
            _remove(path)
        except FileNotFoundError:
            continue
        except (OSError, RecursionError):
            _remove_hard(path)


def _remove(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
        return
    try:
        os.rmdir(path)
        return
    except NotADirectoryError:
        os.unlink(path)
        return
    except FileNotFoundError:
        raise
    except OSError:
        pass
    with os.scandir(path) as entries:
        inside = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for each, is_folder in inside:
        if is_folder:
            _remove(each)
        else:
            os.unlink(each)
    os.rmdir(path)


def _remove_hard(path: str) -> None:
    """Remove what lost its write bits, or is nested deeper than a path can say: as `rm` does it."""
    chmod, rm = shutil.which("chmod") or "/bin/chmod", shutil.which("rm") or "/bin/rm"
    subprocess.run([chmod, "-R", "u+rwX", path], stderr=subprocess.DEVNULL, check=False)
    done = subprocess.run([rm, "-rf", path], capture_output=True, check=False)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise OutsideError(
            f"{path} could not be removed: {words[-1] if words else 'rm failed'}",
            f"Look at it, then: rm -rf {path}",
            code="job-folder",
        )
