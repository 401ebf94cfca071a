"""Reading many objects by the git program: one process for a thousand, no libgit2 to import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.program import git

CHUNK = 1000
#: Objects as written: a pushed `refs/replace/*` must not change what is read (git-replace(1)).
AS_WRITTEN = {"GIT_NO_REPLACE_OBJECTS": "1"}


class Content(msgspec.Struct, frozen=True, gc=False):
    """One object: `kind` is git's word for it (`blob`, `tree`, `commit`, `tag`)."""

    id: str
    kind: str
    content: bytes


def read_many(
    repository: Path, expressions: Sequence[str], *, is_quarantined: bool = False
) -> Iterator[Content | None]:
    """Return what each expression (`<id>`, `<commit>:<path>`, …) names, in order; None where nothing is.

    Read lazily, a thousand objects per process; `is_quarantined`: those of a push under way too. An
    expression holds no line break.
    Raises `OutsideError` (`git-failed`).
    """
    for at in range(0, len(expressions), CHUNK):
        part = expressions[at : at + CHUNK]
        asked = "".join(f"{expression}\n" for expression in part).encode("utf-8", "surrogateescape")
        output = git(
            repository,
            "cat-file",
            "--batch",
            "--buffer",
            stdin=asked,
            environment=AS_WRITTEN,
            quarantine=is_quarantined,
        )
        yield from _parse_batch(output, len(part), repository)


def _parse_batch(output: bytes, count: int, repository: Path) -> Iterator[Content | None]:
    """Read git-cat-file(1), Batch output: `<id> <kind> <size>`, the bytes, a line break; or `… missing`."""
    at = 0
    for _ in range(count):
        end = output.find(b"\n", at)
        if end < 0:
            raise OutsideError(
                f"git cat-file broke off in {repository}", f"Run: git -C {repository} fsck", code="git-failed"
            )
        fields = output[at:end].decode("utf-8", "replace").rsplit(" ", 2)
        at = end + 1
        if len(fields) == 3 and fields[1] in ("blob", "tree", "commit", "tag") and fields[2].isdigit():
            size = int(fields[2])
            yield Content(fields[0], fields[1], output[at : at + size])
            at += size + 1
        else:
            yield None
