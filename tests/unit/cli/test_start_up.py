"""What is typed often, and what git calls, is not kept waiting for packages it has no use for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HUB = ("lockgate.hub.running.dispatcher", "pygit2", "cryptography", "http.client", "importlib.metadata")


def imported(words: list[str], folder: Path) -> set[str]:
    """Return the names of all modules that a Python imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize("module", ["lockgate.hub.worktree.asking", "lockgate.hub.worktree.submission"])
def test_questions_and_runs_do_without_what_only_a_hub_does(module: str, tmp_path: Path) -> None:
    found = imported(["-c", f"import {module}"], tmp_path)
    assert module in found
    assert not found & set(HUB)


def test_a_commit_is_looked_at_without_the_packages_of_the_command_line(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "lockgate.toml").write_text('[stages.s]\nrun = "true"\n')
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    found = imported(["-I", "-m", "lockgate", "hook", "pre-commit"], tmp_path)
    assert "lockgate.hub.worktree.commit_check" in found
    assert not found & {*HUB, "click", "tomli", "lockgate.project.manifest", "lockgate.hub.indexing.index"}
