"""The activity chain: one signed commit an entry, appended by compare-and-swap, read with plain git.

A commit's first parent is the entry before; further parents keep other commits alive. Its tree holds this
entry alone, so an entry costs the same at the beginning of a chain and at its hundred-thousandth.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockgate.activity.entry import FORMAT, Activity
from lockgate.errors import OutsideError, UserError
from lockgate.git import refs
from lockgate.git.contents import AS_WRITTEN, read_many
from lockgate.git.listing import FILE, Entry
from lockgate.git.program import attempt, git

if TYPE_CHECKING:
    from lockgate.activity.key import Key
    from lockgate.git.objects import Repository

REF = "refs/lockgate/activity"
FILE_NAME = "activity.json"
HUB_NAME, HUB_EMAIL = "Lockgate hub", "hub@localhost"
STARTED = "chain.started"
IMPORTED = "project.imported"
PATIENCE_S = 30.0


def append(
    repository: Repository,
    activity: Activity,
    key: Key,
    files: Mapping[str, bytes | str] | None = None,
    keep: Sequence[str] = (),
    *,
    at_epoch_s: int,
    author_email: str = "",
) -> str:
    """Append one entry and return its commit id.

    `files` are further files of the entry by path: content, or the id of a blob written before. `keep` are
    commits it keeps from being collected. The author is the member, the committer the hub.
    Raises `OutsideError`: `activity-busy` (transient), `ref-locked` (transient), `git-failed`;
    `UserError`: `path-unsafe`, `path-conflict`.
    """
    tree = write_tree(repository, activity, files or {})
    message = compose_message(activity)
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        tip = refs.read(repository, REF)
        if tip is None and keep:
            # The first parent is always an entry, so the very first entry can keep nothing
            _start(repository, key, activity, at_epoch_s)
            continue
        parents = [*([tip] if tip else []), *dict.fromkeys(oid for oid in keep if oid != tip)]
        entry = repository.commit(
            tree,
            parents,
            message,
            author=(activity.by, author_email, at_epoch_s),
            committer=(HUB_NAME, HUB_EMAIL, at_epoch_s),
            signature=key.sign,
        )
        if refs.compare_and_swap(repository, REF, tip, entry, PATIENCE_S):
            return entry
        time.sleep(os.urandom(1)[0] / 50_000)
    raise OutsideError(
        f"the activity chain of {repository.path} is too busy to append to",
        "Try again; if it stays so, look which processes write there.",
        code="activity-busy",
        is_transient=True,
    )


def read(
    repository: Path, limit: int | None = None, start: str | None = None
) -> Iterator[tuple[str, Activity]]:
    """Yield the entries, newest first, each with its commit id; nothing for a project without a chain.

    `start` is the entry to begin with (itself included) instead of the newest.
    Raises `OutsideError` (`activity-damaged`) naming the commit.
    """
    ids = entry_ids(repository, limit, start)
    for oid, found in zip(ids, read_many(repository, [f"{oid}:{FILE_NAME}" for oid in ids]), strict=True):
        if found is None or found.kind != "blob":
            raise damaged(repository, oid, f"it has no {FILE_NAME}")
        try:
            yield oid, parse(found.content)
        except ValueError as error:
            raise damaged(repository, oid, str(error)) from None


def entry_ids(repository: Path, limit: int | None = None, start: str | None = None) -> list[str]:
    """Return the commits of the chain, newest first. Raises `OutsideError` (`activity-damaged`)."""
    count = [] if limit is None else [f"--max-count={limit}"]
    code, output, error = attempt(
        repository,
        "rev-list",
        "--first-parent",
        *count,
        "--end-of-options",
        start or REF,
        "--",
        environment=AS_WRITTEN,
    )
    if code == 0:
        return output.decode().split()
    known = git(repository, "for-each-ref", "--format=%(objectname)", REF)
    if not known.strip() and start is None:
        return []
    words = error.decode("utf-8", "replace").strip().removeprefix("error: ").removeprefix("fatal: ")
    named = re.search(r"[0-9a-f]{40}", words)
    oid = named.group() if named else start or known.decode().strip()
    raise damaged(repository, oid, words.splitlines()[0] if words else f"git exit code {code}")


def parse(content: bytes) -> Activity:
    """Read an entry's `activity.json`. Raises ValueError in words."""
    activity = msgspec.json.decode(content, type=Activity)
    if activity.format != FORMAT:
        raise ValueError(f"its format is {activity.format}; this Lockgate knows {FORMAT}")
    return activity


def render(activity: Activity) -> bytes:
    """Return an entry's `activity.json`: indented, so that `git show` reads well."""
    return msgspec.json.format(msgspec.json.encode(activity), indent=2) + b"\n"


def compose_message(activity: Activity) -> str:
    """Return the commit message: the title, then trailers that `git log --grep` and `%(trailers)` find."""
    trailers = {
        "Activity": activity.kind,
        "Run": activity.run,
        "Ref": activity.ref,
        "Commit": activity.commit,
    }
    lines = [f"Lockgate-{name}: {one_line(value)}" for name, value in trailers.items() if value]
    return "\n".join([one_line(activity.title) or one_line(activity.kind), "", *lines, ""])


def damaged(repository: Path, oid: str, why: str) -> OutsideError:
    """The error for an entry that cannot be read."""
    return OutsideError(
        f"the activity chain of {repository} is damaged at commit {oid}: {why}",
        "Run `git fsck` there and bring the repository back from a backup.",
        code="activity-damaged",
    )


def write_tree(repository: Repository, activity: Activity, files: Mapping[str, bytes | str]) -> str:
    """Write an entry's tree, and return its id. Raises `UserError`: `path-unsafe`, `path-conflict`."""
    if FILE_NAME in files:
        raise UserError(
            f"an entry's file cannot be called {FILE_NAME}", "Give it another name.", code="path-conflict"
        )
    put = {
        path: Entry(FILE, content if isinstance(content, str) else repository.write_blob(content))
        for path, content in files.items()
    }
    put[FILE_NAME] = Entry(FILE, repository.write_blob(render(activity)))
    return repository.edit_tree(None, put)


def _start(repository: Repository, key: Key, activity: Activity, at_epoch_s: int) -> None:
    root = Activity(kind=STARTED, at=activity.at, by="hub", title="Activity chain started")
    hub = (HUB_NAME, HUB_EMAIL, at_epoch_s)
    tree = write_tree(repository, root, {})
    entry = repository.commit(tree, [], compose_message(root), author=hub, committer=hub, signature=key.sign)
    refs.compare_and_swap(repository, REF, None, entry, PATIENCE_S)


def one_line(text: str) -> str:
    """Return a text as one line of a message: control characters would forge trailers, or colours."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
