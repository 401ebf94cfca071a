"""The files within artifacts that are folders, and how those that are pictures look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from lockgate.data.digest import md5_of
from lockgate.data.store import Store
from lockgate.errors import LockgateError
from lockgate.git.batch import Batch
from lockgate.git.trees import differences
from lockgate.hub.search.detail import ArtifactRef
from lockgate.hub.search.likeness import MOST_BYTES, Look, look_at

#: So many files of one folder are taken in.
MOST_IN_FOLDER = 500
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_TABLES = (".csv", ".tsv", ".parquet", ".feather", ".jsonl", ".xlsx")


def unfold(batch: Batch, store: Store, refs: Sequence[ArtifactRef]) -> Iterator[ArtifactRef]:
    """Yield the files within those artifacts that are folders. What cannot be read is left out."""
    for ref in refs:
        if not ref.md5.endswith(".dir"):
            continue
        if ref.git is None:
            yield from _of_store(store, ref)
        else:
            yield from _of_git(batch, ref)


def is_picture(ref: ArtifactRef) -> bool:
    return ref.path.lower().endswith(_PICTURES) and ref.size_bytes <= MOST_BYTES


def look_at_all(batch: Batch, store: Store, refs: Iterable[ArtifactRef]) -> dict[str, Look]:
    """Return md5 → look of those artifacts that are pictures; what is none that can be opened is left out."""
    pictures = {ref.md5: ref for ref in refs if is_picture(ref)}
    looks: dict[str, Look] = {}
    for md5, content in _contents(batch, store, pictures):
        look = look_at(content)
        if look is not None:
            looks[md5] = look
    return looks


def _contents(batch: Batch, store: Store, refs: Mapping[str, ArtifactRef]) -> Iterator[tuple[str, bytes]]:
    in_git = {md5: ref.git for md5, ref in refs.items() if ref.git is not None}
    for at in range(0, len(in_git), 50):
        part = list(in_git.items())[at : at + 50]
        for (md5, _), found in zip(part, batch.read_many([blob for _, blob in part]), strict=True):
            if found is not None and found.kind == "blob":
                yield md5, found.content
    for md5, ref in refs.items():
        if ref.git is None:
            try:
                if store.path(md5).stat().st_size <= MOST_BYTES:
                    yield md5, store.read(md5)
            except (OSError, LockgateError):
                continue


def _of_store(store: Store, folder: ArtifactRef) -> Iterator[ArtifactRef]:
    try:
        listed = store.listing(folder.md5)[:MOST_IN_FOLDER]
    except (LockgateError, OSError, msgspec.MsgspecError):
        return
    for each in listed:
        try:
            size = store.path(each.md5).stat().st_size
        except OSError:
            size = 0
        yield _member(folder, each.relpath, each.md5, None, size)


def _of_git(batch: Batch, folder: ArtifactRef) -> Iterator[ArtifactRef]:
    listed = differences(batch, folder.git, None)
    files = [(path, new.id) for path, new, _ in islice(listed, MOST_IN_FOLDER) if new is not None]
    for (path, blob), found in zip(files, batch.read_many([blob for _, blob in files]), strict=True):
        if found is not None:
            yield _member(folder, path, md5_of(found.content), blob, len(found.content))


def _member(folder: ArtifactRef, path: str, md5: str, blob: str | None, size: int) -> ArtifactRef:
    lower = path.lower()
    kind = "figure" if lower.endswith(_PICTURES) else "table" if lower.endswith(_TABLES) else "file"
    return msgspec.structs.replace(
        folder, path=f"{folder.path}/{path}", md5=md5, git=blob, size_bytes=size, kind=kind
    )
