"""What names mean, and where the branch that a clone checks out is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.git.defaultbranch import default_commit, has_default_branch
from lockgate.git.program import git
from lockgate.git.revision import first_commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", tmp_path / "r.git"], check=True)
    return tmp_path / "r.git"


def commit(repository: Path, text: str) -> str:
    tree = git(repository, "mktree", stdin=b"").decode().strip()
    return git(repository, "commit-tree", tree, "-m", text).decode().strip()


def test_the_first_name_that_means_a_commit_is_taken(repository: Path) -> None:
    one, two = commit(repository, "one"), commit(repository, "two")
    git(repository, "update-ref", "refs/heads/been here/ü".replace(" ", "-"), one)
    git(repository, "tag", "-a", "-m", "t", "v1", two)
    assert first_commit(repository, "refs/heads/been-here/ü") == one
    assert first_commit(repository, "refs/heads/v1", "refs/tags/v1", "been-here/ü") == two
    assert first_commit(repository, "nothing", two[:12]) == two
    tree = git(repository, "rev-parse", f"{one}^{{tree}}").decode().strip()
    assert first_commit(repository, tree) is None
    assert first_commit(repository, f"{one}\0", f"x\n{one}", "", "-h", "a b", f"{one} commit") is None
    assert first_commit(repository) is None


def test_the_default_branch_is_found_loose_and_packed(repository: Path) -> None:
    assert default_commit(repository) is None
    assert not has_default_branch(repository)
    one = commit(repository, "one")
    git(repository, "update-ref", "refs/heads/main", one)
    assert default_commit(repository) == one
    git(repository, "pack-refs", "--all")
    assert not (repository / "refs/heads/main").exists()
    assert default_commit(repository) == one
    assert has_default_branch(repository)
    two = commit(repository, "two")
    git(repository, "update-ref", "refs/heads/main", two)
    assert default_commit(repository) == two


def test_a_half_written_ref_is_asked_of_git(repository: Path) -> None:
    one = commit(repository, "one")
    git(repository, "update-ref", "refs/heads/main", one)
    git(repository, "pack-refs", "--all")
    (repository / "refs/heads/main").write_text("ref: refs/heads/other\n")
    assert default_commit(repository) is None
    git(repository, "update-ref", "refs/heads/other", one)
    assert default_commit(repository) == one


def test_where_no_repository_is_nothing_is_found(tmp_path: Path) -> None:
    assert first_commit(tmp_path, "HEAD") is None
    assert default_commit(tmp_path) is None
