"""The batch settings that count for a project: those on its default branch."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.batch import Batch
from lockgate.git.defaultbranch import default_branch
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE


def default_manifest(repository: Path) -> Manifest | None:
    """Return the `lockgate.toml` of a repository's default branch; None: it has none.

    Raises `UserError` for one that is wrong.
    """
    with Batch(repository) as batch:
        return default_manifest_in(batch)


def default_manifest_in(batch: Batch) -> Manifest | None:
    """The same by a batch under way."""
    found = batch.read(f"{default_branch(batch.repository)}:{MANIFEST_FILE}")
    return parse_manifest(found.content.decode("utf-8", "replace")) if found else None
