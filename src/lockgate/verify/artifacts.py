"""Two stages' artifacts side by side: by their digests first, then by kind, folders file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

import msgspec

from lockgate.project.pipeline import Allowance
from lockgate.runs.record import Artifact, StageRecord
from lockgate.verify.allowance import allowance
from lockgate.verify.compare import compare
from lockgate.verify.report import ArtifactProof, Compared, worst
from lockgate.verify.streams import compare_streams

#: What is larger is compared as it is read, or by its bytes.
MOST_BYTES = 256_000_000


class Content(msgspec.Struct, frozen=True):
    """One file of an artifact, read when it is wanted."""

    path: str
    """Inside the artifact; empty: it is the artifact itself."""
    size_bytes: int
    digest: str
    read: Callable[[], bytes]
    open: Callable[[], BinaryIO]
    """For what is too large to be read at once; to be closed."""


Open = Callable[[Artifact], Iterable[Content]]


def compare_artifacts(
    recorded: StageRecord, again: StageRecord, open_: Open, allowed: Sequence[Allowance] = ()
) -> Iterator[ArtifactProof]:
    """Yield the verdict on each artifact of a stage; `allowed`: what the project's `[verify]` says."""
    made = {artifact.path: artifact for artifact in again.artifacts}
    for artifact in recorded.artifacts:
        other = made.get(artifact.path)
        found = (
            Compared("differs", "it was not made")
            if other is None
            else _compare(artifact, other, open_, allowed)
        )
        yield ArtifactProof(
            stage=recorded.stage,
            path=artifact.path,
            kind=artifact.kind,
            verdict=found.verdict,
            words=found.words,
            recorded=artifact.md5,
            again=other.md5 if other is not None else None,
        )


def _compare(left: Artifact, right: Artifact, open_: Open, allowed: Sequence[Allowance]) -> Compared:
    if left.md5 == right.md5:
        return Compared("identical")
    if left.md5.endswith(".dir") != right.md5.endswith(".dir"):
        return Compared("differs", "one is a folder, the other a file")
    ours = {content.path: content for content in open_(left)}
    theirs = {content.path: content for content in open_(right)}
    if left.md5.endswith(".dir"):
        return _compare_folders(ours, theirs, left, allowed)
    return _compare_files(ours[""], theirs[""], left.path, left, allowed)


def _compare_folders(
    ours: dict[str, Content], theirs: dict[str, Content], about: Artifact, allowed: Sequence[Allowance]
) -> Compared:
    gone, new = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    told = [f"{gone[0]} was not made"] if gone else []
    told += [f"{new[0]} is new"] if new else []
    count, verdicts = len(gone) + len(new), []
    for path in sorted(ours.keys() & theirs.keys()):
        found = _compare_files(ours[path], theirs[path], f"{about.path}/{path}", about, allowed)
        verdicts.append(found.verdict)
        if found.verdict == "differs":
            count += 1
            told.append(f"{path}: {found.words}")
    if told:
        return Compared("differs", told[0] + (f", and {count - 1} more files" if count > 1 else ""))
    return Compared(worst(verdicts))


def _compare_files(
    left: Content, right: Content, path: str, about: Artifact, allowed: Sequence[Allowance]
) -> Compared:
    if left.digest == right.digest and left.size_bytes == right.size_bytes:
        return Compared("identical")
    if max(left.size_bytes, right.size_bytes) > MOST_BYTES:
        return compare_streams(left.open, right.open, path, allowance(path, allowed))
    return compare(left.read(), right.read(), path, about.kind, allowance(path, allowed))
