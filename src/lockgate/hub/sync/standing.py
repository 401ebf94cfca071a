"""What a sync would do, cheaply: how much is changed here, to be sent, to be got."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.git.program import attempt
from lockgate.git.worktree import changes, remotes
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import reaching


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a sync."""

    branch: str | None
    changed: int
    """Files with changes that are not committed."""
    to_send: int
    """Commits the hub does not have."""
    to_get: int
    """Commits of the hub that are not here, as of when it was last asked."""
    can_undo: bool
    words: str


def waiting(root: Path, *, is_asked: bool) -> Waiting:
    """Return what waits; the hub itself is looked at where `is_asked`.

    Raises `UserError` (`hub-unknown-member`), `OutsideError` (`hub-unreachable`) then.
    """
    if is_asked and REMOTE in remotes(root):
        reaching.fetch(root)
    now = changes(root)
    branch = now.branch
    changed = len(now.changed) + len(now.untracked) + len(now.deleted)
    theirs = reaching.tracked(root, branch) if branch else None
    send = get = 0
    if now.head and theirs:
        _, output, _ = attempt(root, "rev-list", "--left-right", "--count", f"{now.head}...{theirs}")
        send, get = (int(each) for each in output.split()) if output else (0, 0)
    elif now.head:
        _, output, _ = attempt(root, "rev-list", "--count", now.head)
        send = int(output or 0)
    with journals.turn(root) as folder:
        can_undo = journals.read(folder) is not None
    return Waiting(
        branch=branch,
        changed=changed,
        to_send=send,
        to_get=get,
        can_undo=can_undo,
        words=_words(changed, send, get),
    )


def _words(changed: int, send: int, get: int) -> str:
    told = []
    if changed:
        told.append(f"{changed} {'file' if changed == 1 else 'files'} changed")
    if send:
        told.append(f"{send} {'commit' if send == 1 else 'commits'} to send")
    if get:
        told.append(f"{get} {'commit' if get == 1 else 'commits'} to get")
    return ", ".join(told) if told else "Nothing to sync: the hub has all of it"
