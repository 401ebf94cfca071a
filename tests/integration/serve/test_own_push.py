"""The hub's own push of a project to itself, where git has nothing to send."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pushing_team import make_project

from lockgate.errors import UserError
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.members.values import OWNER
from lockgate.hub.push import Options
from lockgate.hub.pushing.own_push import move

BRANCH = "refs/heads/main"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = create_hub(tmp_path / "hub")[0]
    make_project(made)
    return made


def git(hub: Hub, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(hub.repository("p")), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def commits(hub: Hub) -> tuple[str, str]:
    tree = git(hub, "hash-object", "-t", "tree", "-w", "/dev/null")
    first = git(hub, "commit-tree", tree, "-m", "one")
    second = git(hub, "commit-tree", tree, "-p", first, "-m", "two")
    git(hub, "update-ref", BRANCH, first)
    return first, second


def test_a_ref_elsewhere_is_told_however_git_ends(hub: Hub, commits: tuple[str, str]) -> None:
    first, second = commits
    for _ in range(15):
        with pytest.raises(UserError) as caught:
            move(hub, "p", second, BRANCH, second, OWNER, Options(is_skip=True))
        assert caught.value.code == "ref-conflict"
    assert git(hub, "rev-parse", BRANCH) == first


def test_a_ref_there_already_is_no_failure_however_git_ends(hub: Hub, commits: tuple[str, str]) -> None:
    for _ in range(15):
        moved = move(hub, "p", commits[0], BRANCH, commits[0], OWNER, Options(is_skip=True))
        assert (moved.commit, moved.run) == (commits[0], None)
