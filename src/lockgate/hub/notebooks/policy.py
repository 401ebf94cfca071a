"""What a project says of notebooks' outputs, and which notebooks it is not about. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from lockgate.errors import LockgateError
from lockgate.project.manifest import parse_manifest
from lockgate.project.outputs import POLICIES, OutputPolicy
from lockgate.runs.lockfile import read_lock


def policy_of(manifest: bytes | None) -> OutputPolicy | None:
    """Return what a `lockgate.toml` says; None where there is none, or none that can be read."""
    if manifest is None:
        return None
    try:
        return parse_manifest(manifest.decode("utf-8")).outputs
    except (LockgateError, UnicodeDecodeError):
        return None


def known_policy(word: str | None) -> OutputPolicy | None:
    """Return a word as the policy that it names."""
    return cast("OutputPolicy", word) if word in POLICIES else None


class Executed:
    """The notebooks that runs made and the hub committed: these have their outputs in git."""

    def __init__(self, lock: bytes | None) -> None:
        """`lock`: the content of `lockgate.lock`."""
        try:
            records = read_lock(lock) if lock else {}
        except LockgateError:
            records = {}
        self._paths = {
            artifact.path for each in records.values() for artifact in each.artifacts if artifact.git
        }

    def __contains__(self, path: str) -> bool:
        parts = path.split("/")
        return any("/".join(parts[:count]) in self._paths for count in range(1, len(parts) + 1))

    def others(self, paths: Iterable[str]) -> list[str]:
        """Return those of these notebooks that members wrote."""
        return [path for path in paths if path.endswith(".ipynb") and path not in self]
