"""Two archives, member by member; times, owners and compression do not count."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from fnmatch import fnmatchcase

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import few
from lockgate.verify.report import Compared, worst

ENDINGS = (".zip", ".npz", ".whl", ".tar", ".tar.gz", ".tgz", ".gz")
#: More than this is not unpacked.
MOST_BYTES = 512_000_000
MOST_MEMBERS = 50_000

OfBytes = Callable[[bytes, bytes, str], Compared]


def compare_archives(
    left: bytes, right: bytes, path: str, allowed: Allowance, of_bytes: OfBytes
) -> Compared | None:
    """Compare the members of two archives by kind; None: one cannot be opened, or is too large."""
    ours, theirs = _members(left, path), _members(right, path)
    if ours is None or theirs is None:
        return None
    told, verdicts = [], []
    for name in sorted({*ours, *theirs}):
        if any(fnmatchcase(name, pattern) for pattern in allowed.ignore):
            continue
        if name not in ours or name not in theirs:
            told.append(f"{name} is {'new' if name not in ours else 'missing'}")
            continue
        found = of_bytes(ours[name], theirs[name], name)
        verdicts.append(found.verdict)
        if found.verdict == "differs":
            told.append(f"{name}: {found.words}")
    if told:
        return Compared("differs", few(told, 1))
    return Compared(
        "within-tolerance",
        "the same members" if worst(verdicts) == "identical" else "members within tolerance",
    )


def _members(content: bytes, path: str) -> dict[str, bytes] | None:
    try:
        if path.endswith((".tar", ".tar.gz", ".tgz")):
            return _of_tar(content)
        if path.endswith(".gz"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                inside = file.read(MOST_BYTES + 1)
            name = path.rpartition("/")[2].removesuffix(".gz")
            return {name: inside} if len(inside) <= MOST_BYTES else None
        return _of_zip(content)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError):
        return None
    except (RuntimeError, NotImplementedError, MemoryError):
        # Encrypted, or a compression that Python has not
        return None


def _of_zip(content: bytes) -> dict[str, bytes] | None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        listed = archive.infolist()
        if len(listed) > MOST_MEMBERS or sum(each.file_size for each in listed) > MOST_BYTES:
            return None
        return {each.filename: archive.read(each) for each in listed if not each.is_dir()}


def _of_tar(content: bytes) -> dict[str, bytes] | None:
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for number, entry in enumerate(archive):
            if number >= MOST_MEMBERS or entry.size > left:
                return None
            left -= entry.size
            file = archive.extractfile(entry) if entry.isreg() else None
            found[entry.name] = file.read() if file is not None else entry.linkname.encode()
    return found
