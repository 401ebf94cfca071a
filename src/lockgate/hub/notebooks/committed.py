"""Notebooks with outputs in commits that were not sent yet, where the project keeps outputs out of git.

They come from a git that was not set up for it: a clone before its first sync, another program's environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.git.worktree import head
from lockgate.hub.notebooks.policy import Executed
from lockgate.hub.reaching.address import REMOTE
from lockgate.project.outputs import NotebookError, OutputPolicy, without_outputs
from lockgate.project.pipeline import LOCK_FILE

#: So many commits are looked at, the newest ones.
_COMMITS_AT_MOST = 200
_NAMED = 3
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Committed(msgspec.Struct, frozen=True):
    """A notebook with outputs, and the commit that brought it."""

    path: str
    commit: str


def unsent_outputs(root: Path, policy: OutputPolicy) -> tuple[Committed, ...]:
    """Return what HEAD has of such notebooks and no remote's branch, as last fetched, has; newest first.

    Raises `OutsideError` (`git-failed`).
    """
    if policy == "keep":
        return ()
    brought = list(_brought(root))
    if not brought:
        return ()
    lock = root / LOCK_FILE
    members = {
        *Executed(lock.read_bytes() if lock.is_file() else None).others(one.path for one, _ in brought)
    }
    own = [(one, blob) for one, blob in brought if one.path in members]
    contents = read_many(root, [blob for _, blob in own])
    return tuple(
        one
        for (one, _), found in zip(own, contents, strict=True)
        if found is not None and _has_outputs(found.content)
    )


def before_sending(root: Path, found: Sequence[Committed]) -> str:
    """Return in a line what a member can still do; empty: there is nothing to do."""
    if not found:
        return ""
    base = _sent(root)
    if base is not None:
        way = f"git reset {base[:10]}: your files stay, and the next sync commits them anew without"
    else:
        way = (
            "lockgate notebook on && git add --renormalize . && git commit --amend, if it is the last commit"
        )
    return f"{_named(found)}, not sent yet; the project keeps them out of git. {way}"


def once_sent(found: Sequence[Committed]) -> str:
    """Return in a line what became of them; empty: nothing."""
    if not found:
        return ""
    return (
        f"{_named(found)}, and so in the hub's history now; what is committed from now on is without."
        " Are they secret, ask a lead to rewrite the branch"
    )


def _sent(root: Path) -> str | None:
    """Return the last commit of HEAD that a remote has: what follows can be committed anew."""
    branch, _ = head(root)
    for other in (f"refs/remotes/{REMOTE}/{branch}", "@{upstream}"):
        code, output, _ = attempt(root, "merge-base", "HEAD", other)
        if code == 0:
            return output.decode().strip()
    return None


def _named(found: Sequence[Committed]) -> str:
    paths = list(dict.fromkeys(each.path for each in found))
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    commits = list(dict.fromkeys(each.commit[:10] for each in found))
    where = f"commit {commits[0]}" if len(commits) == 1 else f"{len(commits)} commits since {commits[-1]}"
    return f"outputs of {', '.join(paths[:_NAMED])}{more} are in {where}"


def _brought(root: Path) -> Iterator[tuple[Committed, str]]:
    """Yield the notebooks that unsent commits add or change, with their blobs.

    Form: git-diff(1), "Raw output format", with `-z`; before each commit's lines stands its id.
    """
    code, output, _ = attempt(
        root, "log", "-z", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AM", "--format=%H",
        f"--max-count={_COMMITS_AT_MOST}", "HEAD", "--not", "--remotes", "--", "*.ipynb",
    )  # fmt: skip
    if code != 0:
        # No commit yet
        return
    commit, blob = "", ""
    for field in output.decode("utf-8", "surrogateescape").split("\0"):
        line = field.removeprefix("\n")
        if blob:
            yield Committed(field, commit), blob
            blob = ""
        elif _COMMIT.fullmatch(line):
            commit = line
        elif line.startswith(":"):
            blob = line.split(" ")[3]


def _has_outputs(content: bytes) -> bool:
    try:
        return without_outputs(content) is not content
    except NotebookError:
        return False
