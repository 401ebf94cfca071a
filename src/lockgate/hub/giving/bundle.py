"""A repository's commits as one file, by `git bundle`: written without touching it, read with distrust."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lockgate.activity import chain
from lockgate.errors import UserError
from lockgate.git.program import attempt, git

#: Larger objects in git are no project's source, whatever limit it sets.
OBJECT_LIMIT_BYTES = 2 << 30
#: What is read whole into memory: lists, locks, entries of the chain.
_TREE_LIMIT_BYTES = 256 << 20
_WANTED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", f"+{chain.REF}:{chain.REF}")


def write_bundle(repository: Path, refs: Mapping[str, str], target: Path) -> None:
    """Write everything that these commits reach, under these names. Raises `OutsideError` (`git-failed`)."""
    common = git(repository, "rev-parse", "--path-format=absolute", "--git-common-dir")
    objects = Path(common.decode("utf-8", "surrogateescape").rstrip("\n")) / "objects"
    place = Path(tempfile.mkdtemp(prefix="lockgate-export-"))
    try:
        git(place, "init", "--quiet", "--bare", "--template=", ".")
        alternates = place / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_text(f"{objects}\n", "utf-8", "surrogateescape")
        lines = "".join(f"create {name} {oid}\n" for name, oid in sorted(refs.items()))
        git(place, "update-ref", "--stdin", stdin=lines.encode("utf-8", "surrogateescape"))
        git(place, "bundle", "create", "--quiet", str(target), *sorted(refs))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def read_bundle(bundle: Path, repository: Path) -> None:
    """Bring a bundle's branches, tags and chain into a new bare repository, every object examined.

    Raises `UserError` (`crate-damaged`) in git's own words.
    """
    git(repository, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
    code, _, error = attempt(
        repository,
        "-c", "fetch.fsckObjects=true", "-c", "transfer.fsckObjects=true",
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
        str(bundle), *_WANTED,
    )  # fmt: skip
    if code != 0:
        words = error.decode("utf-8", "replace").strip().splitlines()
        raise _damaged(words[0] if words else f"git exit code {code}")
    _check_sizes(repository)


def _check_sizes(repository: Path) -> None:
    found = git(
        repository, "cat-file", "--batch-all-objects", "--unordered",
        "--batch-check=%(objectsize) %(objecttype) %(objectname)",
    )  # fmt: skip
    for line in found.decode("ascii").splitlines():
        size, kind, oid = line.split()
        if int(size) > (OBJECT_LIMIT_BYTES if kind == "blob" else _TREE_LIMIT_BYTES):
            raise _damaged(f"its {kind} {oid} would unpack to {size} bytes")


def checkout_bytes(repository: Path, commit: str) -> int:
    """Return how large a work tree of this commit is. Raises `OutsideError` (`git-failed`)."""
    listed = git(repository, "ls-tree", "-r", "-l", "-z", commit).split(b"\0")
    sizes = (line.split(None, 4)[3] for line in listed if line)
    return sum(int(size) for size in sizes if size != b"-")


def _damaged(why: str) -> UserError:
    return UserError(
        f"the commits of the file are not taken: {why}",
        "Ask for the file again, and compare its digest with the sender's: sha256sum FILE",
        code="crate-damaged",
    )


def commits_known(repository: Path, commits: list[str]) -> bool:
    """Return whether every one of these commits is in a repository."""
    code, _, _ = attempt(repository, "rev-list", "--no-walk", "--quiet", "--end-of-options", *commits, "--")
    return code == 0
