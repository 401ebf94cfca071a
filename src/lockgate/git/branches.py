"""The branches of a work tree: listed, switched to, begun. What is edited and not committed is never lost."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.program import attempt, git
from lockgate.git.switch import ignored_in_the_way, operation_under_way
from lockgate.git.worktree import PLAIN, QUIET, head

_SHOWN_AT_MOST = 1000


class Branch(msgspec.Struct, frozen=True):
    """`remote` is given where there is no branch of that name here yet."""

    name: str
    subject: str
    at: float
    """Of its last commit: seconds since the epoch."""
    remote: str | None = None


class Branches(msgspec.Struct, frozen=True):
    """All of a work tree, the one changed last first. `current` None: no branch is checked out."""

    current: str | None
    branches: tuple[Branch, ...]


def list_branches(root: Path) -> Branches:
    """Return the branches here, and those of remotes that nobody checked out here yet."""
    form = "--format=%(refname)%00%(symref)%00%(committerdate:unix)%00%(contents:subject)"
    words = ("for-each-ref", "--sort=-committerdate", f"--count={_SHOWN_AT_MOST}", form)
    output = git(root, *words, "refs/heads", "refs/remotes", environment=QUIET)
    here: dict[str, Branch] = {}
    there: dict[str, Branch] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        ref, symref, at, subject = line.split("\0", 3)
        if symref or not at.isdecimal():
            continue
        if ref.startswith("refs/heads/"):
            name = ref.removeprefix("refs/heads/")
            here[name] = Branch(name, subject, float(at))
        else:
            remote, _, name = ref.removeprefix("refs/remotes/").partition("/")
            there.setdefault(name, Branch(name, subject, float(at), remote))
    return Branches(
        head(root)[0], (*here.values(), *(each for name, each in there.items() if name not in here))
    )


def switch_branch(root: Path, name: str) -> None:
    """Check out a branch; one that only a remote has begins here as that one is. Edits come along.

    Raises `UserError`: `branch-unknown`, `merge-under-way`, `edits-in-the-way`, `ignored-in-the-way`.
    """
    _require_rest(root)
    known = {each.name: each for each in list_branches(root).branches}
    if name not in known:
        raise UserError(f"there is no branch {name}", "See the list of branches.", code="branch-unknown")
    remote = known[name].remote
    target = f"refs/remotes/{remote}/{name}" if remote else f"refs/heads/{name}"
    _, now = head(root)
    if now is not None and (blocked := ignored_in_the_way(root, now, target)):
        raise UserError(
            f"ignored files stand in the way: {', '.join(blocked[:3])}",
            "Move them away, or delete them, and try again.",
            code="ignored-in-the-way",
        )
    words = ["--track", "-c", name, f"{remote}/{name}"] if remote else ["--no-guess", name]
    _switch(root, words, name)


def begin_branch(root: Path, name: str) -> None:
    """Begin a branch where the work tree is, and check it out.

    Raises `UserError`: `branch-name`, `branch-there`, `merge-under-way`.
    """
    _require_rest(root)
    code, _, _ = attempt(root, "check-ref-format", "--branch", name)
    if code != 0 or name.startswith("-"):
        raise UserError(
            f"{name!r} cannot be a branch's name",
            "Use letters, digits, `-`, `_` and `/`, without spaces.",
            code="branch-name",
        )
    if any(each.name == name for each in list_branches(root).branches):
        raise UserError(f"there is a branch {name} already", "Switch to it.", code="branch-there")
    _switch(root, ["-c", name], name)


def _require_rest(root: Path) -> None:
    busy = operation_under_way(root)
    if busy:
        raise UserError(
            f"a {busy} is under way",
            f"Finish it (git {busy} --continue) or leave it (git {busy} --abort), then try again.",
            code="merge-under-way",
        )


def _switch(root: Path, words: list[str], name: str) -> None:
    code, _, error = attempt(root, *PLAIN, "switch", "--quiet", *words, environment={"LC_ALL": "C"})
    if code == 0:
        return
    lines = error.decode("utf-8", "replace").splitlines()
    files = [line.strip() for line in lines if line.startswith("\t")]
    if files:
        raise UserError(
            f"{name} has other versions of what you edited: {', '.join(files[:5])}",
            "Commit your edits first (Sync does), then switch.",
            code="edits-in-the-way",
        )
    raise UserError(
        f"git could not switch to {name}: {lines[-1] if lines else 'no reason given'}",
        "Look at `git status`.",
        code="switch-refused",
    )
