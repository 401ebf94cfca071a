"""What the hook `pre-commit` of a clone looks at: no file too large for git is committed.

Every commit waits for it, so it imports little.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lockgate.errors import UserError
from lockgate.git.program import git
from lockgate.hub.worktree.git_rule import crowded, git_limit
from lockgate.project.quantities import counted, size_words


def check_commit(root: Path) -> None:
    """Refuse a commit that adds a file above `git_limit`, or a folder of very many. Raises `UserError`
    (`file-too-large`)."""
    index = os.environ.get("GIT_INDEX_FILE")
    environment = {"GIT_INDEX_FILE": os.path.abspath(index)} if index else {}  # noqa: PTH100  (as git has it)
    output = git(
        root, "diff", "--cached", "--raw", "-z", "--abbrev=40", "--no-renames",
        environment=environment,
    )  # fmt: skip
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    rows = [(path, about.split()) for about, path in zip(fields[::2], fields[1::2], strict=False) if about]
    # What git has already, it may have at another place
    had = {about[2] for _, about in rows}
    staged = {path: about[3] for path, about in rows if about[1].startswith("100") and about[3] not in had}
    if not staged:
        return
    limit = git_limit(root)
    asked = "".join(f"{oid}\n" for oid in staged.values()).encode()
    sizes = git(root, "cat-file", "--batch-check=%(objectsize)", stdin=asked).decode().split("\n")
    large = [
        (path, int(size))
        for path, size in zip(staged, sizes, strict=False)
        if size.isdigit() and int(size) > limit
    ]
    if large:
        named = ", ".join(f"{path} ({size_words(size)})" for path, size in large[:3])
        raise _refusal(
            f"{named}{' and more' if len(large) > 3 else ''} {'is' if len(large) == 1 else 'are'} larger than"
            f" git may hold in this project ({size_words(limit)})",
            [path for path, _ in large],
        )
    folders = crowded(staged)
    if folders:
        raise _refusal(f"{folders[0]} adds {counted(len(staged), 'file')} to git", folders)


def _refusal(message: str, paths: Sequence[str]) -> UserError:
    return UserError(
        message,
        f"Make data of it: lockgate data add {' '.join(paths[:3])}; then git add the .dvc file, and commit",
        code="file-too-large",
    )
