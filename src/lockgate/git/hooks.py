"""Hooks of a clone (githooks(5)): put in beside those that are there, which go on being called first."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from lockgate.git.program import git
from lockgate.git.worktree import git_dir_of

MARK = "# Written by `lockgate init`."
_BEFORE = ".before-lockgate"

_SCRIPT = """\
#!/bin/sh
{mark} The hook that stood here before is {name}{before}; it is called first.
input=$(cat)
if [ -x "$(dirname "$0")/{name}{before}" ]; then
  printf '%s\\n' "$input" | "$(dirname "$0")/{name}{before}" "$@" || exit $?
fi
python={python}
[ -x "$python" ] || exit 0
printf '%s\\n' "$input" | "$python" -I -m lockgate hook {name} "$@"
"""

Outcome = Literal["written", "there", "elsewhere", "occupied"]


def install_hook(root: Path, name: str, python: str) -> tuple[Outcome, Path]:
    """Have a hook call `lockgate hook NAME`; return what was done, and where it is.

    `elsewhere`: the hooks' folder is not this repository's alone (`core.hooksPath`), so nothing is written.
    `occupied`: two hooks of others stand there, so nothing is written either.
    """
    folder = root / git(root, "rev-parse", "--git-path", "hooks").decode().rstrip("\n")
    place = folder / name
    own = (root.resolve(), git_dir_of(root).resolve(), (root / _common_dir(root)).resolve())
    if not any(folder.resolve().is_relative_to(each) for each in own):
        return "elsewhere", place
    text = _SCRIPT.format(mark=MARK, name=name, before=_BEFORE, python=shlex.quote(python))
    if place.exists() or place.is_symlink():
        is_ours = place.is_file() and MARK in place.read_text("utf-8", "replace")
        if is_ours and place.read_text("utf-8", "replace") == text:
            return "there", place
        before = place.with_name(name + _BEFORE)
        if not is_ours:
            if before.exists() or before.is_symlink():
                return "occupied", place
            place.rename(before)
    folder.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{name}.new")
    draft.write_text(text, "utf-8")
    draft.chmod(0o755)
    draft.replace(place)
    return "written", place


def has_earlier(place: Path) -> bool:
    """Return whether a hook calls one that stood in its place before."""
    return place.with_name(place.name + _BEFORE).exists()


def _common_dir(root: Path) -> str:
    return git(root, "rev-parse", "--git-common-dir").decode().rstrip("\n")
