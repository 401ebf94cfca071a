"""Taking a project onto the hub: its repository, and the first entry of its chain."""

from __future__ import annotations

import time
from pathlib import Path

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.activity.key import load_key
from lockgate.git.objects import Repository
from lockgate.hub.directory import Hub, add_project
from lockgate.hub.instant import iso
from lockgate.hub.worktree.history import ADDED, added_entry


def admit(hub: Hub, name: str) -> tuple[Path, bool]:
    """Add a project and record it with the hub's public key; return its repository and whether it is new.

    One that is there gets its hooks and settings anew. Raises `UserError` (`project-name`), `OutsideError`:
    `hub-unwritable`, `key-missing`, `key-exposed`.
    """
    key = load_key(hub.key)
    path, is_new = add_project(hub, name)
    if added_entry(path) is None:
        now = time.time()
        activity = Activity(
            kind=ADDED,
            at=iso(now),
            by="hub",
            title=f"Project {name} was added to the hub",
            evidence={"public_key": key.public_line},
        )
        chain.append(Repository(path), activity, key, at_epoch_s=int(now))
    return path, is_new
