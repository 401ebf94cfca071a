"""Keeping files out of a member's commits: this clone's own `info/exclude` (gitignore(5)).

A file excluded so is also one that git may write over: a pull brings it without complaint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lockgate.git.program import git

_HEAD = "# What Lockgate placed here: the hub commits it, `git pull` brings it.\n"
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


#: What Jupyter writes beside notebooks for itself (jupyter_server's checkpoints, jupyter-collaboration).
JUPYTER = (".ipynb_checkpoints/", ".jupyter_ystore.db", ".jupyter/collaboration_sessions.json")


def exclude(root: Path, paths: Iterable[str]) -> None:
    """Exclude these paths, files or folders, from what git adds; those that are tracked stay tracked."""
    exclude_named(root, [_pattern(path) for path in paths if "\n" not in path])


def exclude_named(root: Path, patterns: Iterable[str]) -> None:
    """The same by patterns of gitignore(5)."""
    place = root / git(root, "rev-parse", "--git-path", "info/exclude").decode().rstrip("\n")
    before = place.read_text("utf-8", "surrogateescape") if place.exists() else ""
    known = set(before.splitlines())
    new = [pattern for pattern in patterns if pattern not in known]
    if not new:
        return
    head = "" if _HEAD in before else _HEAD
    gap = "" if not before or before.endswith("\n") else "\n"
    place.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in dict.fromkeys(new))
    place.write_text(before + gap + head + text, "utf-8", "surrogateescape")


def _pattern(path: str) -> str:
    return "/" + _SPECIAL.sub(r"\\\1", path)
