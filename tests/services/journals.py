"""Journals on a hub as a push leaves them, written by the capture's own functions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.activity.chain import compose_message, write_tree
from lockgate.activity.entry import Activity
from lockgate.activity.execution import CODE, Execution, entry_of
from lockgate.activity.journal import REFS, Entry, append
from lockgate.git.objects import Repository
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.members.slug import member_slug

#: A noon, UTC: what comes within some hours is of one day.
AT = 1_779_969_600.0


def cell(number: int, at: float, **more: object) -> Execution:
    """A cell that printed nothing, executed in `n.ipynb` on `main` unless said otherwise."""
    done = Execution(
        code=f"cell_{number}()", count=number, started_at=at, status="ok", notebook="n.ipynb",
        ref="refs/heads/main",
    )  # fmt: skip
    return msgspec.structs.replace(done, **more)


def write_journal(
    hub: Hub, project: str, by: str, device: str, done: Sequence[Execution], snapshot: str | None = None
) -> list[str]:
    """Append to a member's journal; return the entries' ids."""
    keep = (snapshot,) if snapshot else ()
    entries = [Entry(*entry_of(each, by, snapshot, []), keep) for each in done]
    ref = f"{REFS}{member_slug(by)}/{device}"
    return append(Repository(hub.repository(project)), ref, entries, (by, "", int(done[0].started_at)))


def forged(hub: Hub, project: str, owner: str, device: str, activity: Activity, **files: bytes) -> list[str]:
    """Write a journal of one entry that says whatever it likes."""
    repository = Repository(hub.repository(project))
    tree = write_tree(repository, activity, {CODE: b"", **files})
    commit = repository.commit(tree, [], compose_message(activity), author=(owner, "", int(AT)))
    git(hub.repository(project), "update-ref", f"{REFS}{owner}/{device}", commit)
    return [commit]
