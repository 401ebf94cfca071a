"""Being an ordinary user in a test that root runs: modes of files count then, as they do for most hubs."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522


@contextmanager
def as_user(name: str) -> Iterator[None]:
    """Be an ordinary user, as far as files, programs and HTCondor can tell; root may be taken up again.

    What this Python may read stays readable: its modules may lie where only root looks.
    """
    entry = pwd.getpwnam(name)
    groups = os.getgroups()
    home = os.environ.get("HOME")
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, 0)
    os.setresuid(entry.pw_uid, entry.pw_uid, 0)
    _raise_capability()
    os.environ["HOME"] = entry.pw_dir
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
        if home is not None:
            os.environ["HOME"] = home


@contextmanager
def as_root() -> Iterator[None]:
    """Be root for a moment, within `as_user`."""
    ids = os.getresuid(), os.getresgid()
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    try:
        yield
    finally:
        os.setresgid(*ids[1])
        os.setresuid(*ids[0])
        _raise_capability()


def _raise_capability() -> None:
    """capget(2), capset(2): make one permitted capability effective."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    if _LIBC.capget(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    effective, permitted, inheritable, *rest = struct.unpack("=6I", data.raw)
    effective |= permitted & _CAP_DAC_READ_SEARCH
    wanted = ctypes.create_string_buffer(struct.pack("=6I", effective, permitted, inheritable, *rest))
    if _LIBC.capset(header, wanted) != 0:
        raise OSError(ctypes.get_errno(), "capset")


@contextmanager
def job_folder() -> Iterator[Path]:
    """Make a folder that the ordinary user owns."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-jobs-", dir="/tmp"))
    try:
        yield folder
    finally:
        for parent, names, _ in os.walk(folder):  # what jobs made read-only
            for name in names:
                path = Path(parent, name)
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
