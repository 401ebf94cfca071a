"""A person's own hub, made when it is first needed, and a work tree's place on it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lockgate.errors import UserError
from lockgate.git.program import attempt, git
from lockgate.git.worktree import add_remote, remotes
from lockgate.hub.directory import Hub, create_hub, private_hub_root
from lockgate.hub.reaching.address import CLONED, REMOTE, LocalHub, of_url

#: Which work tree a project of a private hub belongs to; two folders of one name are two projects.
OWNER = "lockgate.worktree"


def ensure_remote(root: Path) -> str:
    """Return the URL of the remote `hub`; without one, make it: the hub that this is a clone of, if that
    is on this machine, else the private hub."""
    found = remotes(root)
    if REMOTE in found:
        return found[REMOTE]
    cloned = found.get(CLONED)
    if cloned is not None and _is_project(cloned, root):
        add_remote(root, REMOTE, cloned)
        return cloned
    from lockgate.hub.worktree.admission import admit  # noqa: PLC0415  (pygit2, cryptography)

    hub, _ = create_hub(private_hub_root())
    path, is_new = admit(hub, free_name(hub, root))
    if is_new:
        git(path, "config", OWNER, str(root))
    add_remote(root, REMOTE, str(path))
    return str(path)


def has_hub(root: Path) -> bool:
    """Return whether a work tree belongs to a hub: it has the remote `hub`, or is a clone of a hub here."""
    found = remotes(root)
    return REMOTE in found or (CLONED in found and _is_project(found[CLONED], root))


def free_name(hub: Hub, root: Path) -> str:
    """Return the name of a work tree's project on a hub: its folder's, unless another one has it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name)
    name = re.sub(r"\.\.+", ".", name).strip("-._")[:80]
    name = re.sub(r"(\.(git|lock|))+$", "", name) or "project"
    if not hub.repository(name).exists() or _owner(hub, name) == str(root):
        return name
    return f"{name}-{hashlib.sha256(str(root).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _is_project(url: str, root: Path) -> bool:
    try:
        return isinstance(of_url(url, root), LocalHub)
    except UserError:
        return False


def _owner(hub: Hub, name: str) -> str | None:
    code, output, _ = attempt(hub.repository(name), "config", OWNER)
    return output.decode("utf-8", "surrogateescape").strip() if code == 0 else None
