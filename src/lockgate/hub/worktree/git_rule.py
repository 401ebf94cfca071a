"""The rule of what git may hold: files above `git_limit`, and folders of very many files, are data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lockgate.errors import LockgateError
from lockgate.project.pipeline import MANIFEST_FILE, Data

#: A folder with more files than this is data as a whole.
FILES_AT_MOST = 10_000


def git_limit(root: Path) -> int:
    """Return the `git_limit` of a work tree in bytes; the default where its manifest has none or is wrong."""
    try:
        text = (root / MANIFEST_FILE).read_text("utf-8")
        if "git_limit" in text:  # else nothing needs to be parsed: every commit waits for this
            from lockgate.project.manifest import parse_manifest  # noqa: PLC0415

            return parse_manifest(text).data.git_limit_bytes
    except (OSError, UnicodeDecodeError, LockgateError):
        pass
    return Data().git_limit_bytes


def crowded(paths: Iterable[str]) -> list[str]:
    """Return the deepest folders that hold too many of these files."""
    listed = list(paths)
    if len(listed) <= FILES_AT_MOST:
        return []
    counts: Counter[str] = Counter()
    for path in listed:
        counts.update(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")
    found = [folder for folder, count in counts.items() if count > FILES_AT_MOST]
    return [folder for folder in found if not any(other.startswith(f"{folder}/") for other in found)]
