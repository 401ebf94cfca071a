"""Pointers in git: at a commit, and in all that a clone still needs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from lockgate.data.clone import Clone
from lockgate.data.pointed import Pointed, outputs_of
from lockgate.errors import OutsideError, UserError
from lockgate.git.program import attempt, clean_environment, git

#: Files that name objects: pointers, and the locks of DVC's and our pipelines.
_NAMING = (".dvc", "dvc.lock", "lockgate.lock")
_MD5 = re.compile(rb"\b[0-9a-f]{32}(?:\.dir)?\b")


def outputs_at(clone: Clone, revision: str) -> list[Pointed]:
    """Return the outputs of the pointers of a commit, by path.

    Raises `UserError`: `revision-unknown`, `pointer-invalid`.
    """
    root = Path(clone.root)
    code, commit, _ = attempt(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}"
    )
    if code != 0:
        raise UserError(
            f"there is no commit {revision!r}",
            "`git log --oneline --all` lists them.",
            code="revision-unknown",
        )
    tree = git(root, "ls-tree", "-r", "-z", "--full-tree", commit.decode().strip())
    entries = []
    for record in tree.split(b"\0"):
        about, _, path = record.partition(b"\t")
        if path.endswith(b".dvc") and about.split()[1:2] == [b"blob"]:
            entries.append((os.fsdecode(path), about.split()[2].decode()))
    found: dict[str, Pointed] = {}
    for (file, _), content in zip(entries, blobs(root, [oid for _, oid in entries]), strict=True):
        for output in outputs_of(content.decode("utf-8", "surrogateescape"), file):
            found[output.path] = output
    return [found[path] for path in sorted(found)]


def blobs(root: Path, oids: Iterable[str]) -> Iterator[bytes]:
    """Yield the contents of these blobs, by one process of git."""
    oids = list(oids)
    if not oids:
        return
    done = subprocess.run(
        ["git", "-C", os.fspath(root), "cat-file", "--batch", "--buffer"],
        input="".join(f"{oid}\n" for oid in oids).encode(),
        capture_output=True,
        env=clean_environment(),
        check=False,
    )
    at = 0
    for oid in oids:
        end = done.stdout.find(b"\n", at)
        fields = done.stdout[at:end].split()
        if end < 0 or len(fields) != 3:
            raise OutsideError(f"git could not read the blob {oid}", "Run `git fsck`.", code="git-failed")
        size = int(fields[2])
        yield done.stdout[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def needed(clone: Clone) -> set[str]:
    """Return the digests (folders' without their files) that anything in this repository names.

    Counted are all branches, tags and other refs, `refs/lockgate` too, the stash with all its entries, HEAD,
    index and work tree of every linked work tree. A file that cannot be read as a pointer still counts for
    every digest it has in it: rather too much is kept.
    """
    root = Path(clone.root)
    named: set[str] = set()
    places = [root]
    for line in git(root, "worktree", "list", "--porcelain", "-z").split(b"\0"):
        if line.startswith(b"worktree "):
            places.append(Path(os.fsdecode(line.removeprefix(b"worktree "))))
    starts: set[str] = set()
    for place in places:
        code, head, _ = attempt(place, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        starts |= {head.decode().strip()} if code == 0 else set()
    code, stashes, _ = attempt(root, "rev-list", "--walk-reflogs", "--ignore-missing", "refs/stash")
    starts |= set(stashes.decode().split()) if code == 0 else set()
    oids = []
    for place in dict.fromkeys(places):
        if place.is_dir():
            oids += _in_index(place)
            named |= _in_work_tree(place)
    return named | digests_in(root, oids) | named_by_refs(root, starts)


def named_by_refs(
    root: Path, starts: Iterable[str] = (), known: Iterable[str] = (), *, more: Iterable[str] = ()
) -> set[str]:
    """Return the digests that files of all refs' commits name, and of the commits `starts`.

    What is reached from the commits `known` is passed over. `more`: the ends of further files' paths that may
    name some.
    """
    ends = tuple(name.encode() for name in (*_NAMING, *more))
    asked = _lines(starts) + _lines(f"^{commit}" for commit in known)
    oids = []
    for line in git(root, "rev-list", "--objects", "--all", "--stdin", stdin=asked).split(b"\n"):
        oid, _, path = line.partition(b" ")
        if path.endswith(ends):
            oids.append(oid.decode())
    return digests_in(root, oids)


def digests_in(root: Path, oids: Iterable[str]) -> set[str]:
    """Return all digests that stand in these blobs."""
    return {found.decode() for content in blobs(root, dict.fromkeys(oids)) for found in _MD5.findall(content)}


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in sorted(words)).encode()


def _in_index(place: Path) -> list[str]:
    output = git(place, "ls-files", "-s", "-z", "--full-name")
    oids = []
    for record in output.split(b"\0"):
        about, _, path = record.partition(b"\t")
        if path.endswith(tuple(name.encode() for name in _NAMING)) and not about.startswith(b"160000"):
            oids.append(about.split()[1].decode())
    return oids


def _in_work_tree(place: Path) -> set[str]:
    named: set[str] = set()
    for folder, folders, files in os.walk(place, onerror=_refuse_unread):
        folders[:] = [name for name in folders if name not in (".git", ".dvc")]
        for name in files:
            if name.endswith(_NAMING):
                try:
                    content = Path(folder, name).read_bytes()
                except OSError as error:
                    raise _unread(error) from None
                named |= {found.decode() for found in _MD5.findall(content)}
    return named


def _refuse_unread(error: OSError) -> None:
    """A folder that went away meanwhile needs nothing; one that is closed may."""
    if not isinstance(error, FileNotFoundError):
        raise _unread(error)


def _unread(error: OSError) -> OutsideError:
    return OutsideError(
        f"{error.filename} cannot be read, so nobody knows what it needs",
        "Make it readable, then try again.",
        code="file-unreadable",
    )
