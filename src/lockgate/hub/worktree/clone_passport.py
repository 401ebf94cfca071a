"""The passport of a figure in a work tree, by what its lock file records."""

from __future__ import annotations

from pathlib import Path

from lockgate.data.digest import md5_of
from lockgate.errors import UserError
from lockgate.git.worktree import remotes
from lockgate.hub.reaching.address import REMOTE
from lockgate.runs.provenance import Origin, explain, path_in
from lockgate.runs.runid import short
from lockgate.verify.passport import Passport


def passport_here(root: Path, figure: str) -> tuple[bytes, Passport]:
    """Return a figure's bytes and what its passport says.

    Raises `UserError`: `passport-impossible`, and what `explain` raises.
    """
    path = path_in(root, figure)
    found = explain(root, path)
    if not isinstance(found, Origin):
        raise UserError(
            f"{figure} is a source, no run made it",
            "Name a figure a stage makes.",
            code="passport-impossible",
        )
    if not found.is_here or not found.is_recorded:
        raise UserError(
            f"{figure} is not as run {short(found.record.run)} made it",
            f"Fetch what it made: lockgate fetch {short(found.record.run)}",
            code="passport-impossible",
        )
    content = (root / path).read_bytes()
    return content, Passport(
        project=_project(root), run=found.record.run, stage=found.record.stage, path=path, md5=md5_of(content)
    )


def _project(root: Path) -> str:
    """The name at the hub, of which the remote's address tells."""
    url = remotes(root).get(REMOTE, "").rstrip("/")
    return url.rpartition("/")[2].removesuffix(".git") or root.name
