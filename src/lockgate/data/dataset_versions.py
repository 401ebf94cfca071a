"""The versions of a dataset: the commits of a history that changed it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.data.pointed import outputs_of
from lockgate.data.versions import blobs
from lockgate.errors import UserError
from lockgate.git.program import attempt, git

_NOTHING = "0" * 40


class Version(msgspec.Struct, frozen=True):
    """What a dataset was at one commit that changed it."""

    commit: str
    committed_at: float
    """Seconds since 1970, UTC."""
    subject: str
    md5: str | None
    """None: it was removed, cannot be read, or git itself holds the bytes."""
    size_bytes: int | None
    git: str | None = None
    """The blob or tree, where git itself holds the bytes."""

    @property
    def is_removed(self) -> bool:
        return self.md5 is None and self.git is None

    @property
    def content(self) -> str | None:
        """What tells its content from another version's."""
        return self.md5 or self.git


class _Change(msgspec.Struct, frozen=True):
    commit: str
    committed_at: float
    subject: str
    object: str


def versions_of(
    repository: Path, revision: str, path: str, pointer: str | None, limit: int = 1000
) -> tuple[Version, ...]:
    """Return the commits that changed a dataset, newest first; `pointer` None: git itself holds its bytes."""
    found = _changes(repository, revision, pointer or path, limit)
    oids = [change.object for change in found if change.object != _NOTHING]
    if pointer is None:
        sizes = _sizes(repository, oids)
        return tuple(
            Version(
                change.commit,
                change.committed_at,
                change.subject,
                None,
                sizes.get(change.object),
                None if change.object == _NOTHING else change.object,
            )
            for change in found
        )
    texts = dict(zip(oids, blobs(repository, oids), strict=True))
    return tuple(
        Version(
            change.commit,
            change.committed_at,
            change.subject,
            *_said(texts.get(change.object), path, pointer),
        )
        for change in found
    )


def refreshed(versions: tuple[Version, ...]) -> Version | None:
    """Return the version that brought the newest content: later ones only said something else of it."""
    newest: Version | None = None
    for version in versions:
        if newest is not None and version.content != newest.content:
            break
        newest = version
    return newest


def _changes(repository: Path, revision: str, file: str, limit: int) -> list[_Change]:
    code, log, _ = attempt(
        repository,
        "log", "--format=%x01%H%x00%ct%x00%s", "--raw", "--no-abbrev", "-z", "--no-renames", "-m",
        "-t", "--first-parent", f"--max-count={limit}", "--end-of-options", revision, "--",
        f":(top,literal){file}",
    )  # fmt: skip
    if code != 0:
        return []
    found = []
    for record in log.split(b"\x01")[1:]:
        commit, committed_at, rest = record.split(b"\0", 2)
        subject, _, raw = rest.partition(b"\0")
        found.append(
            _Change(
                commit.decode(),
                float(committed_at),
                subject.decode("utf-8", "replace").rstrip("\n"),
                _object(raw, file),
            )
        )
    return found


def _object(raw: bytes, file: str) -> str:
    """Return the object that a commit put at a path, from git's raw form (git-diff-tree(1))."""
    parts = raw.lstrip(b"\n").split(b"\0")
    for about, path in zip(parts[::2], parts[1::2], strict=False):
        if path == file.encode("utf-8", "surrogateescape"):
            return about.split()[3].decode()
    return _NOTHING


def _sizes(repository: Path, oids: list[str]) -> dict[str, int]:
    """Return the sizes of blobs."""
    asked = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
    told = git(repository, "cat-file", "--batch-check", stdin=asked) if asked else b""
    found = {}
    for line in told.decode().splitlines():
        oid, kind, size = [*line.split(), "", ""][:3]
        if kind == "blob":
            found[oid] = int(size)
    return found


def _said(text: bytes | None, path: str, pointer: str) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    try:
        outputs = outputs_of(text.decode("utf-8", "surrogateescape"), pointer)
    except UserError:
        return None, None
    for each in outputs:
        if each.path == path:
            return each.md5, each.size_bytes
    return None, None
