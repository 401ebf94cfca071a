"""What happened to one file: the commits that changed it, and the runs that read or made it, as one list."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from lockgate.git.program import attempt
from lockgate.hub.worktree.history import entries, refresh


class Happening(msgspec.Struct, frozen=True):
    """One commit or activity. `at`: UTC, ISO 8601."""

    kind: Literal["commit", "activity"]
    id: str
    at: str
    by: str
    title: str
    run: str | None = None


class FileHistory(msgspec.Struct, frozen=True):
    """Newest first; `warning` says why activities of the hub may be missing."""

    happenings: tuple[Happening, ...]
    warning: str | None = None


def history_of(root: Path, path: str, limit: int) -> FileHistory:
    """Return at most so many commits and activities of a file or folder, as the project names it."""
    warning = refresh(root).warning
    found = [*_commits(root, path, limit), *_activities(root, path, limit)]
    found.sort(key=lambda each: each.at, reverse=True)
    return FileHistory(tuple(found[:limit]), warning)


def _commits(root: Path, path: str, limit: int) -> list[Happening]:
    code, output, _ = attempt(
        root,
        "log",
        f"--max-count={limit}",
        "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
        "--format=%H%x00%cd%x00%an%x00%s",
        "HEAD",
        "--",
        path,
        environment={"TZ": "UTC"},
    )
    lines = output.decode("utf-8", "replace").splitlines() if code == 0 else []
    return [Happening("commit", *line.split("\0", 3)) for line in lines if line.count("\0") >= 3]


def _activities(root: Path, path: str, limit: int) -> list[Happening]:
    return [
        Happening(
            "activity",
            entry.id,
            entry.activity.at,
            entry.activity.by,
            entry.activity.title,
            entry.activity.run,
        )
        for entry in entries(root, limit, path)
    ]
