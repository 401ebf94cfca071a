"""What can be searched for of a stretch of the chain: entries, runs, logs, pushed commits and their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.batch import Batch
from lockgate.hub.search.changes import (
    BlobChange,
    changes_of,
    files_of,
    read_texts,
    readable,
    shown,
    snippets,
    worth_showing,
)
from lockgate.hub.search.document import KEPT_CHARS, Document
from lockgate.hub.search.reading import ReadEntry, clean
from lockgate.project.pipeline import LOCK_FILE

#: So many files of one stretch are taken in at most: a checkout of half a million files is no code.
MOST_FILES = 20_000
_QUEUED = "run.queued"


class Gathered(msgspec.Struct, frozen=True):
    """The entries with what they changed, and the documents of all; `snapshot`: the last commit looked at."""

    entries: tuple[ReadEntry, ...]
    documents: tuple[Document, ...]
    snapshot: str | None


class _Pushed(msgspec.Struct, frozen=True):
    """A commit that was pushed for a run."""

    entry: ReadEntry
    commit: str
    message: str


def gather(batch: Batch, entries: Sequence[ReadEntry], snapshot: str | None, head: str | None) -> Gathered:
    """Gather them.

    `snapshot`: the commit whose files were looked at last; `head`: the default branch's, to be looked at now.
    Raises `OutsideError` (`git-failed`).
    """
    pushed = _pushed(batch, entries)
    changed = changes_of(batch, [(each.commit, None) for each in pushed])
    looked, last = _new_files(batch, pushed, snapshot, head, entries)
    blobs = [change.new or "" for changes in looked.values() for change in changes]
    for changes in changed.values():
        blobs += [blob for change in worth_showing(changes) for blob in (change.old, change.new) if blob]
    texts = read_texts(batch, blobs)
    detailed = tuple(_with_changes(entry, changed, texts) for entry in entries)
    documents = [
        *_of_entries(entries),
        *_of_logs(batch, entries),
        *_of_commits(pushed),
        *_of_files(looked, texts, {each.commit: each.entry for each in pushed}, entries),
    ]
    return Gathered(detailed, tuple(documents), last)


def _pushed(batch: Batch, entries: Sequence[ReadEntry]) -> list[_Pushed]:
    queued: dict[str, ReadEntry] = {}
    for entry in entries:
        commit = entry.activity.commit
        if entry.activity.kind == _QUEUED and commit is not None and commit.isalnum():
            queued.setdefault(commit, entry)
    found = []
    for (commit, entry), content in zip(queued.items(), batch.read_many(list(queued)), strict=True):
        if content is not None and content.kind == "commit":
            message = content.content.partition(b"\n\n")[2].decode("utf-8", "replace").strip()
            found.append(_Pushed(entry, commit, message))
    return found


def _new_files(
    batch: Batch,
    pushed: Sequence[_Pushed],
    snapshot: str | None,
    head: str | None,
    entries: Sequence[ReadEntry],
) -> tuple[dict[str, list[BlobChange]], str | None]:
    """Return commit → the files that the commit looked at before it did not have so."""
    chain = list(dict.fromkeys([*(each.commit for each in pushed), *([head] if head and entries else [])]))
    if not chain:
        return {}, snapshot
    looked: dict[str, list[BlobChange]] = {}
    before = snapshot
    if before is not None and batch.read(before) is None:
        before = None
    if before is None:
        looked[chain[0]] = files_of(batch, chain[0])
        before, rest = chain[0], chain[1:]
    else:
        rest = chain
    pairs: list[tuple[str, str | None]] = []
    for commit in rest:
        pairs.append((commit, before))
        before = commit
    looked.update(changes_of(batch, pairs))
    left = MOST_FILES
    for commit, changes in looked.items():
        looked[commit] = [each for each in changes if each.new is not None and each.path != LOCK_FILE][:left]
        left -= len(looked[commit])
    return looked, before


def _with_changes(
    entry: ReadEntry, changed: Mapping[str, list[BlobChange]], texts: Mapping[str, str]
) -> ReadEntry:
    commit = entry.activity.commit
    if entry.activity.kind != _QUEUED or commit is None or commit not in changed:
        return entry
    changes = changed[commit]
    detail = msgspec.structs.replace(
        entry.detail,
        changes=shown(changes),
        change_count=sum(each.path != LOCK_FILE for each in changes),
        snippets=snippets(changes, texts),
    )
    return msgspec.structs.replace(entry, detail=detail)


def _of_entries(entries: Sequence[ReadEntry]) -> Iterator[Document]:
    for entry in entries:
        activity = entry.activity
        body = ""
        if entry.run is not None:
            body = "\n".join(
                [entry.run.row.cause or "", f"stages: {' '.join(_stages(entry))}"]
                + [
                    f"{value.kind} {value.name} = {_shown(value.value, value.word)}"
                    for value in entry.run.values
                ]
                + [f"artifact {ref.path} {ref.md5}" for ref in entry.run.artifacts]
            )
        yield Document(
            kind="run" if entry.run is not None else "activity",
            key=entry.id,
            at=entry.at,
            by=clean(activity.by),
            title=clean(activity.title),
            body=clean(body)[:KEPT_CHARS],
            run=clean(activity.run) if activity.run else None,
            path=clean(activity.ref) if activity.ref else None,
            commit=entry.id,
        )


def _stages(entry: ReadEntry) -> list[str]:
    return list(dict.fromkeys(ref.stage for ref in (entry.run.artifacts if entry.run else ())))


def _shown(value: float | None, word: str | None) -> str:
    return word if word is not None else f"{value:.10g}" if value is not None else ""


def _of_logs(batch: Batch, entries: Sequence[ReadEntry]) -> Iterator[Document]:
    wanted = [(entry, path) for entry in entries for path in entry.detail.logs if "\n" not in path]
    asked = [f"{entry.id}:{path}" for entry, path in wanted]
    for (entry, path), found in zip(wanted, batch.read_many(asked), strict=True):
        if found is not None and found.kind == "blob" and b"\0" not in found.content:
            stage = path.rpartition("/")[2].partition("-")[2].removesuffix(".txt")
            yield Document(
                kind="log",
                key=f"{entry.id}:{clean(path)}",
                at=entry.at,
                by=clean(entry.activity.by),
                title=f"Log of {clean(stage)}",
                body=clean(found.content.decode("utf-8", "replace"))[-KEPT_CHARS:],
                run=clean(entry.activity.run) if entry.activity.run else None,
                path=clean(path),
                commit=entry.id,
            )


def _of_commits(pushed: Sequence[_Pushed]) -> Iterator[Document]:
    for each in pushed:
        message = clean(each.message)[:KEPT_CHARS]
        yield Document(
            kind="commit",
            key=each.commit,
            at=each.entry.at,
            by=clean(each.entry.activity.by),
            title=(message.splitlines() or [""])[0][:300] or each.commit[:10],
            body=message,
            run=each.entry.activity.run,
            commit=each.commit,
        )


def _of_files(
    looked: Mapping[str, Sequence[BlobChange]],
    texts: Mapping[str, str],
    pushed: Mapping[str, ReadEntry],
    entries: Sequence[ReadEntry],
) -> Iterator[Document]:
    for commit, changes in looked.items():
        entry = pushed.get(commit) or entries[-1]
        for change in changes:
            body = texts.get(change.new or "")
            yield Document(
                kind="code",
                key=f"{change.new}:{clean(change.path)}",
                at=entry.at,
                by=clean(entry.activity.by) if commit in pushed else "",
                title=clean(change.path),
                body=clean(readable(change.path, body))[:KEPT_CHARS] if body is not None else "",
                run=entry.activity.run if commit in pushed else None,
                path=clean(change.path),
                commit=commit,
            )


def default_tip(batch: Batch) -> str | None:
    """Return the commit of the default branch; None: it has none yet."""
    try:
        found = batch.read("HEAD^{commit}")
    except OutsideError:
        return None
    return found.id if found is not None else None
