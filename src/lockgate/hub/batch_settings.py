"""The batch settings that count for a project: those on its default branch."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import attempt
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE


def default_manifest(repository: Path) -> Manifest | None:
    """Return the `lockgate.toml` of a repository's default branch; None: it has none.

    Raises `UserError` for one that is wrong.
    """
    branch = default_branch(repository)
    code, content, _ = attempt(repository, "cat-file", "blob", f"{branch}:{MANIFEST_FILE}")
    return parse_manifest(content.decode("utf-8", "replace")) if code == 0 else None
