"""A project of a hub's service becomes a folder here, or one that is here gets what is new."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.exclude import JUPYTER, exclude_named
from lockgate.git.program import attempt, git
from lockgate.git.worktree import find_root, remotes
from lockgate.hub.directory import is_project_name
from lockgate.hub.notebooks.clone import prepare
from lockgate.hub.reaching.address import REMOTE, service_base
from lockgate.hub.reaching.http_client import HttpClient
from lockgate.hub.worktree.setup import install_hooks

#: Nobody sits before it who could be asked for a password.
_UNASKED = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}


class Cloned(msgspec.Struct, frozen=True):
    """`folder` is absolute."""

    folder: str
    is_new: bool
    """It was made just now."""
    is_current: bool
    """It has what the hub has; not where work of here and of there has to be merged: `lockgate sync` does."""


class _Known(msgspec.Struct, frozen=True):
    """A project that may be read."""

    default_branch: str


def require_project_name(name: str) -> str:
    """Return what can be a project's name, and a folder's. Raises `UserError` (`project-name`)."""
    if not is_project_name(name):
        raise UserError(
            f"{name[:100]!r} cannot be a project's name",
            "Look at its address on the hub: …/p/NAME",
            code="project-name",
        )
    return name


def clone(url: str, project: str, parent: Path) -> Cloned:
    """Clone a project into a folder of its name, with the remote `hub`, or bring the clone there up to date.

    Nothing of one's own is changed: what cannot be taken as it is stays for `lockgate sync`. Who
    asks is known by `lockgate login`. Raises `UserError`: `project-name`, `hub-url`, `folder-taken`; what the
    hub refuses with (`login-needed`, `project-unknown`); `OutsideError`: `hub-unreachable`, `git-failed`.
    """
    base = service_base(url)
    address = f"{base}/git/{require_project_name(project)}.git"
    folder = parent.resolve() / project
    if folder.exists() or folder.is_symlink():
        _require_clone(folder, address)
        git(folder, "fetch", "--quiet", REMOTE, environment=_UNASKED)
        code, _, _ = attempt(folder, "merge", "--quiet", "--ff-only", "@{upstream}")
        return Cloned(str(folder), is_new=False, is_current=code == 0)
    # The hub says why it gives nothing; of that git would tell a part
    HttpClient(base).get(["projects", project], _Known)
    # Not hidden from a second call: whoever comes first puts it in place, and a kill leaves no half of it
    draft = folder.with_name(f".{project}.{os.urandom(6).hex()}")
    try:
        git(
            parent, "clone", "--quiet", "--origin", REMOTE, "--", address, os.fspath(draft),
            environment=_UNASKED,
        )  # fmt: skip
        install_hooks(draft)
        prepare(draft)
        exclude_named(draft, JUPYTER)
        draft.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        _require_clone(folder, address)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Cloned(str(folder), is_new=True, is_current=True)


def _require_clone(folder: Path, address: str) -> None:
    """Raises `UserError` (`folder-taken`) where something else is there."""
    try:
        is_own = not folder.is_symlink() and find_root(folder) == folder
        is_it = is_own and remotes(folder).get(REMOTE) == address
    except UserError:
        is_it = False
    if not is_it:
        raise UserError(
            f"there is another {folder.name} already: {folder}",
            f"Rename or move it, or have git know it: git -C {folder} remote set-url {REMOTE} {address}",
            code="folder-taken",
        )
