"""Bringing a work tree from one tree to another without losing what only the work tree holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import AS_WRITTEN
from lockgate.git.listing import Listing, parse_ls_tree
from lockgate.git.program import attempt, git
from lockgate.git.worktree import PLAIN, QUIET, changes, copied_index, git_dir_of

#: What git leaves in its folder while a command waits to be continued (git-merge(1), git-rebase(1), …).
UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
#: So many paths on one command line.
_CHUNK = 500


def operation_under_way(root: Path) -> str | None:
    """Return the git command (`merge`, `rebase`, …) that waits to be continued here, or None."""
    folder = git_dir_of(root)
    return next((command for name, command in UNDER_WAY.items() if (folder / name).exists()), None)


def switch(root: Path, snapshot: str, commit: str, branch: str, old: str, message: str) -> None:
    """Bring work tree and index from `snapshot`, which they equal, to `commit`; move `branch` there.

    `branch` is a full ref that stands at `old`. Nothing changes unless everything can: git refuses where a
    file is not as the snapshot has it, and a file that `.gitignore` names is not written over.
    Raises `UserError`: `work-tree-changed`, `ignored-in-the-way`; `OutsideError`: `index-locked`,
    `git-failed`.
    """
    in_the_way = ignored_in_the_way(root, snapshot, commit)
    if in_the_way:
        named = ", ".join(in_the_way[:3]) + (" …" if len(in_the_way) > 3 else "")
        raise UserError(
            f"ignored files that no snapshot holds stand in the way: {named}",
            "Move them away, or delete them, and try again.",
            code="ignored-in-the-way",
        )
    with index_lock(root) as lock, copied_index(root) as index:
        environment = QUIET | {"GIT_INDEX_FILE": os.fspath(index)}
        git(root, *PLAIN, "add", "--all", "--sparse", "--", ".", environment=environment)
        tree = git(root, *PLAIN, "write-tree", environment=environment).decode().strip()
        if tree != git(root, "rev-parse", f"{snapshot}^{{tree}}").decode().strip():
            raise _changed("files changed in this moment")
        move = (*PLAIN, "read-tree", "-m", "-u", snapshot, commit)
        code, _, error = attempt(root, *move[:-4], "-n", *move[-4:], environment=environment)
        if code != 0:
            raise _changed(error.decode("utf-8", "replace").strip().splitlines()[-1])
        git(root, "update-ref", "-m", message, branch, commit, old)
        code, _, error = attempt(root, *move, environment=environment)
        if code != 0:
            git(root, "update-ref", "-m", "undo: " + message, branch, old, commit)
            raise OutsideError(
                f"git could not write the files: {error.decode('utf-8', 'replace').strip()[-300:]}",
                "The branch is as before. Look at the disk (df -h) and at `git status`.",
                code="git-failed",
            )
        lock.write_bytes(index.read_bytes())
        lock.replace(git_dir_of(root) / "index")


def ignored_in_the_way(root: Path, snapshot: str, commit: str) -> list[str]:
    """Return the paths that `commit` adds where the work tree has something else that git ignores.

    git-read-tree(1) writes over ignored files since git 2.34.
    """
    output = git(root, "diff-tree", "-r", "-z", "--no-renames", "--diff-filter=A", "--name-only",
                 snapshot, commit)  # fmt: skip
    added = [path for path in output.decode("utf-8", "surrogateescape").split("\0") if path]
    held = parse_ls_tree(git(root, "ls-tree", "-r", "-z", "--full-tree", snapshot, environment=AS_WRITTEN))
    blocked: dict[str, None] = {}
    standing: list[str] = []
    for path in added:
        place = _obstacle(root, path)
        if place is None or place in held:
            continue
        if place == path and (root / path).is_file() and not (root / path).is_symlink():
            standing.append(path)
        elif not (root / place).is_dir() or _has_strangers(root / place, place, held):
            blocked[place] = None
    blocked.update(dict.fromkeys(_different(root, standing, commit)))
    return list(blocked)


def _obstacle(root: Path, path: str) -> str | None:
    """Return what stands at a path, or in place of a folder on the way to it."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        place = "/".join(parts[:count])
        if not os.path.lexists(root / place):
            return None
        if (root / place).is_symlink() or not (root / place).is_dir():
            return place
    return path if os.path.lexists(root / path) else None


def _has_strangers(folder: Path, name: str, held: Listing) -> bool:
    """Return whether a folder holds a file that the snapshot does not."""
    for here, _, names in os.walk(folder):
        inside = os.path.relpath(here, folder)
        stem = name if inside == "." else f"{name}/{inside}"
        if any(f"{stem}/{file}" not in held for file in names):
            return True
    return False


def _different(root: Path, paths: Sequence[str], commit: str) -> list[str]:
    """Return those of the files that are not, byte for byte, what `commit` has at their paths."""
    if not paths:
        return []
    wanted = parse_ls_tree(git(root, "ls-tree", "-r", "-z", "--full-tree", commit, environment=AS_WRITTEN))
    found: list[str] = []
    for at in range(0, len(paths), _CHUNK):
        part = paths[at : at + _CHUNK]
        ids = git(root, "hash-object", "--no-filters", "--", *part).decode().split()
        found += [path for path, oid in zip(part, ids, strict=True) if oid != wanted[path].id]
    return found


@contextmanager
def index_lock(root: Path) -> Iterator[Path]:
    """Hold `index.lock`, as git does while it changes the index."""
    lock = git_dir_of(root) / "index.lock"
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        raise OutsideError(
            "another git command is at work here (index.lock exists)",
            f"Wait for it; if none is running: rm {lock}",
            code="index-locked",
            is_transient=True,
        ) from None
    try:
        yield lock
    finally:
        lock.unlink(missing_ok=True)


def _changed(why: str) -> UserError:
    return UserError(
        f"the work tree cannot be brought back: {why}",
        "Save your files in the editor, look at `git status`, and try again.",
        code="work-tree-changed",
    )


def require_branch(root: Path) -> tuple[str, str]:
    """Return the branch checked out (full ref) and its commit, where a commit may be added to it now.

    Raises `UserError`: `no-commit-yet`, `detached-head`, `merge-under-way`.
    """
    now = changes(root)
    busy = operation_under_way(root)
    if busy or now.unmerged:
        busy = busy or "merge"
        raise UserError(
            f"a {busy} is under way",
            f"Finish it (git {busy} --continue) or leave it (git {busy} --abort), then try again.",
            code="merge-under-way",
        )
    if now.head is None:
        raise UserError(
            "there is no commit on this branch yet, so nothing to go back from",
            "Take the hub's state instead: git pull hub main",
            code="no-commit-yet",
        )
    if now.branch is None:
        raise UserError(
            "no branch is checked out (HEAD is detached)",
            "Check one out: git switch main; or make one here: git switch -c NAME",
            code="detached-head",
        )
    return f"refs/heads/{now.branch}", now.head
