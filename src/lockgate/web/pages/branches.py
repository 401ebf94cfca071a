"""The branches of a project's repository on the hub."""

from __future__ import annotations

from pathlib import Path

from lockgate.git.program import attempt

_AT_MOST = 200


def branches_of(repository: Path) -> list[str]:
    """Return the branches, those that moved last first."""
    code, output, _ = attempt(
        repository,
        "for-each-ref",
        f"--count={_AT_MOST}",
        "--sort=-committerdate",
        "--format=%(refname)",
        "refs/heads/",
    )
    lines = output.decode("utf-8", "replace").splitlines() if code == 0 else []
    return [line.removeprefix("refs/heads/") for line in lines]


def is_branch(repository: Path, name: str) -> bool:
    """Return whether there is such a branch."""
    return attempt(repository, "show-ref", "--verify", "--quiet", f"refs/heads/{name}")[0] == 0
