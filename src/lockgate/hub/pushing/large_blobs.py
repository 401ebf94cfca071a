"""What a push brings that is too large for git: looked for among its new objects, before any ref moves."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt, git
from lockgate.hub.batch_settings import default_manifest
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE, Data
from lockgate.project.quantities import counted, size_words

#: Below this nothing is looked at: no limit is worth the look.
SMALLEST_BYTES = 64_000
_HEAD_BYTES = 128
_NAMED_AT_MOST = 3


class Large(msgspec.Struct, frozen=True):
    """A file in pushed history."""

    path: str
    size_bytes: int
    commit: str


def require_small(repository: Path, tips: Sequence[str]) -> None:
    """Refuse new files above a project's `git_limit`. Raises `UserError` (`file-too-large`)."""
    quarantine = os.environ.get("GIT_QUARANTINE_PATH")
    if not quarantine or not tips:
        return
    new = {oid: size for oid, size in _new_blobs(repository, Path(quarantine)) if size > SMALLEST_BYTES}
    if not new:
        return
    limit = _limit(repository, tips[-1])
    large = {oid: size for oid, size in new.items() if size > limit}
    found = _named(repository, tips, large) if large else []
    if found:
        raise _refusal(found, limit)


def _new_blobs(repository: Path, quarantine: Path) -> Iterator[tuple[str, int]]:
    """Yield the blobs a push brought, with their sizes: git-receive-pack(1), "Quarantine environment"."""
    for folder in quarantine.iterdir():
        if len(folder.name) == 2:
            for file in folder.iterdir():
                size = _loose_size(file)
                if size is not None:
                    yield folder.name + file.name, size
    if any((quarantine / "pack").glob("*.idx")):
        output = git(
            repository,
            "cat-file", "--batch-all-objects", "--unordered",
            "--batch-check=%(objecttype) %(objectname) %(objectsize)",
            environment={"GIT_OBJECT_DIRECTORY": str(quarantine), "GIT_ALTERNATE_OBJECT_DIRECTORIES": ""},
        )  # fmt: skip
        for line in output.decode().splitlines():
            kind, oid, size_text = line.split()
            if kind == "blob":
                yield oid, int(size_text)


def _loose_size(file: Path) -> int | None:
    """Read the head of a loose object, `blob SIZE\\0` (git's gitformat-loose(5)); None: it is no blob."""
    with file.open("rb") as stream:
        head = zlib.decompressobj().decompress(stream.read(_HEAD_BYTES), 64)
    kind, _, rest = head.partition(b" ")
    return int(rest.partition(b"\0")[0]) if kind == b"blob" else None


def _limit(repository: Path, tip: str) -> int:
    """Return the limit as the default branch has it, before there is one as what is pushed has it."""
    try:
        manifest = default_manifest(repository)
        if manifest is None:
            code, content, _ = attempt(
                repository, "cat-file", "blob", f"{tip}:{MANIFEST_FILE}", quarantine=True
            )
            manifest = parse_manifest(content.decode("utf-8", "replace")) if code == 0 else None
    except LockgateError:
        return Data().git_limit_bytes
    return manifest.data.git_limit_bytes if manifest is not None else Data().git_limit_bytes


def _named(repository: Path, tips: Sequence[str], large: dict[str, int]) -> list[Large]:
    output = git(repository, "rev-list", "--objects", *tips, "--not", "--all", quarantine=True)
    found = []
    for line in output.decode("utf-8", "backslashreplace").split("\n"):
        oid, _, path = line.partition(" ")
        if oid in large:
            found.append(Large(path, large[oid], _commit_of(repository, tips, oid)))
    return sorted(found, key=lambda each: -each.size_bytes)


def _commit_of(repository: Path, tips: Sequence[str], oid: str) -> str:
    """Return the first commit that has a blob; git tells those that bring it or take it away."""
    code, output, _ = attempt(
        repository, "log", "--reverse", "--format=%H", f"--find-object={oid}", *tips, "--not", "--all",
        quarantine=True,
    )  # fmt: skip
    lines = output.decode().split() if code == 0 else []
    return lines[0] if lines else tips[0]


def _refusal(found: Sequence[Large], limit: int) -> UserError:
    named = [
        f"{each.path} ({size_words(each.size_bytes)}, commit {each.commit[:10]})"
        for each in found[:_NAMED_AT_MOST]
    ]
    more = f" and {counted(len(found) - len(named), 'other file')}" if len(found) > len(named) else ""
    return UserError(
        f"{', '.join(named)}{more} {'is' if len(found) == 1 else 'are'} larger than git may hold in this"
        f" project ({size_words(limit)})",
        "Make data of it in your commits not pushed yet, then push again: lockgate data repair",
        code="file-too-large",
    )
