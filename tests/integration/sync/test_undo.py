"""Sync and undo over a real repository: whatever is in the work tree, and wherever a sync is cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.git.program import attempt, git
from lockgate.hub.sync import content, journal, moving, reaching
from lockgate.hub.sync.conflict import Choice
from lockgate.hub.sync.merge_branch import merge_branch
from lockgate.hub.sync.sync import Synced, sync
from lockgate.hub.sync.undo import undo

PATHS = ("a", "b", "d/c", "d/e", "non-ascii-é", "ignored.log")
Files = dict[str, str | None]
files = st.dictionaries(st.sampled_from(PATHS), st.sampled_from([None, "1\n", "2\n", "3\n"]), max_size=5)


class Killed(BaseException):
    """Stands for the process's end: nothing of ours catches it."""


@contextmanager
def place() -> Iterator[tuple[Path, Path]]:
    """A bare repository as hub, a clone, and what another member does, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as name:
        hub, mine, other = Path(name, "hub.git"), Path(name, "mine"), Path(name, "other")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", hub], check=True)
        git(hub, "config", "receive.advertisePushOptions", "true")
        for tree in (mine, other):
            subprocess.run(
                ["git", "clone", "-q", "-o", "hub", hub, tree], check=True, stderr=subprocess.DEVNULL
            )
            git(tree, "config", "user.email", f"{tree.name}@example.org")
            git(tree, "config", "user.name", tree.name)
            attempt(tree, "switch", "-q", "-c", "main")
        write(other, {".gitignore": "*.log\n", "a": "0\n", "b": "0\n", "d/c": "0\n"})
        push(other)
        git(mine, "pull", "-q", "hub", "main")
        yield mine, other


def write(root: Path, changed: Files) -> None:
    for path, text in changed.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (root / path).unlink(missing_ok=True)
        else:
            (root / path).write_text(text)


def push(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-q", "--allow-empty", "-m", "theirs")
    git(root, "push", "-q", "hub", "main")


def seen(root: Path) -> tuple[object, ...]:
    """Everything a member would miss: files, branch, what is staged."""
    found = {
        str(path.relative_to(root)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }
    head = git(root, "rev-parse", "HEAD").strip()
    return (
        found,
        head,
        git(root, "ls-files", "--stage"),
        git(root, "status", "--porcelain", "--untracked-files=all"),
    )


def sync_as_mine(root: Path) -> Synced:
    """Sync; where something is to be decided, keep what is here."""
    done = sync(root)
    if done.conflicts:
        done = sync(root, {each.path: Choice(each.key, "mine") for each in done.conflicts})
    return done


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mine=files, theirs=files, staged=st.sets(st.sampled_from(PATHS)))
def test_undo_puts_everything_back(mine: Files, theirs: Files, staged: set[str]) -> None:
    with place() as (root, other):
        write(other, {path: text for path, text in theirs.items() if path != "ignored.log"})
        push(other)
        write(root, mine)
        for path in staged:
            attempt(root, "add", "--", path)
        before = seen(root)
        done = sync_as_mine(root)
        assert done.trouble is None
        assert not done.conflicts
        assert git(root, "status", "--porcelain") == b""
        assert git(root, "rev-parse", "HEAD") == git(root, "rev-parse", "hub/main")
        if done.can_undo:
            undo(root)
        assert seen(root) == before


STEPS: list[tuple[object, str]] = [
    (journal, "write"),
    (journal, "forget_others"),
    (moving, "put"),
    (content, "checkout_paths"),
    (content, "_remove"),
    (moving, "git"),
    (moving, "attempt"),
    (reaching, "push"),
]


def cut_off(monkeypatch: pytest.MonkeyPatch, where: object, name: str, after: bool, nth: int) -> None:
    """Kill at the nth call of a step: before it, or when it is done."""
    real: Callable[..., object] = getattr(where, name)
    calls = [0]

    def step(*args: object, **kwargs: object) -> object:
        calls[0] += 1
        if calls[0] == nth and not after:
            raise Killed
        found = real(*args, **kwargs)
        if calls[0] == nth:
            raise Killed
        return found

    monkeypatch.setattr(where, name, step)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("where", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_sync_that_is_killed_is_undone_by_the_next_one(
    where: object, name: str, after: bool, nth: int
) -> None:
    with place() as (root, other):
        write(other, {"a": "theirs\n", "b": None, "d/new": "new\n"})
        push(other)
        write(root, {"d/c": "mine\n", "untracked": "u\n", "d/e": "staged\n"})
        git(root, "add", "d/e")
        before = seen(root)
        with pytest.MonkeyPatch.context() as patch:
            cut_off(patch, where, name, after, nth)
            with suppress(Killed):
                sync(root)
        done = sync(root)
        assert done.trouble is None
        assert (root / "a").read_text() == "theirs\n"
        assert (root / "d/c").read_text() == "mine\n"
        assert not (root / "b").exists()
        undo(root)
        assert seen(root) == before


@pytest.mark.parametrize(
    ("where", "name", "nth"), [(content, "_remove", 1), (moving, "put", 1), (moving, "git", 5)]
)
def test_a_merge_that_is_killed_is_undone_by_the_next_one(where: object, name: str, nth: int) -> None:
    with place() as (root, _):
        git(root, "switch", "-q", "-c", "trial")
        write(root, {"a": "trial\n", "b": None, "d/new": "new\n"})
        git(root, "add", "--all")
        git(root, "commit", "-q", "-m", "trial")
        git(root, "switch", "-q", "main")
        write(root, {"d/c": "mine\n", "untracked": "u\n", "d/e": "staged\n"})
        git(root, "add", "d/e")
        before = seen(root)
        with pytest.MonkeyPatch.context() as patch:
            cut_off(patch, where, name, True, nth)
            with pytest.raises(Killed):
                merge_branch(root, "trial")
        assert seen(root) != before
        assert "An earlier merge was cut off" in merge_branch(root, "trial").mended
        assert (root / "a").read_text() == "trial\n"
        assert (root / "d/c").read_text() == "mine\n"
        assert not (root / "b").exists()
        undo(root, "merge")
        assert seen(root) == before


def test_a_branch_is_merged_as_the_hub_has_it_where_that_is_newer() -> None:
    with place() as (root, other):
        git(other, "switch", "-q", "-c", "trial")
        write(other, {"a": "1\n"})
        git(other, "commit", "-qam", "one")
        git(other, "push", "-q", "hub", "trial")
        told = merge_branch(root, "trial", is_dry=True)
        assert (told.branch, told.commits, told.changed, told.is_done) == ("hub/trial", 1, ("a",), False)
        git(root, "branch", "-q", "trial", "hub/trial")
        write(other, {"a": "2\n"})
        git(other, "commit", "-qam", "two")
        git(other, "push", "-q", "hub", "trial")
        assert merge_branch(root, "trial").branch == "hub/trial"
        assert (root / "a").read_text() == "2\n"
        git(root, "switch", "-q", "trial")
        write(root, {"b": "mine\n"})
        git(root, "commit", "-qam", "apart")
        git(root, "switch", "-q", "main")
        done = merge_branch(root, "trial")
        assert (done.branch, done.commits) == ("trial", 1)
        assert done.notes == ("hub/trial has 1 commit that is not in trial here, and not merged",)
        shutil.move(root.parent / "hub.git", root.parent / "gone.git")
        away = merge_branch(root, "hub/trial", is_dry=True)
        assert "as the hub last had them" in away.notes[0]


def test_a_lock_of_a_killed_sync_does_not_stand_in_the_way_but_anybody_elses_does() -> None:
    with place() as (root, _):
        write(root, {"a": "mine\n"})
        lock = root / ".git/index.lock"
        lock.write_bytes(b"lockgate sync\n")
        assert sync(root).committed == "Change a"
        write(root, {"a": "more\n"})
        lock.write_bytes(b"")
        with pytest.raises(Exception, match="another git command"):
            sync(root)
        assert lock.exists()
        assert (root / "a").read_text() == "more\n"


def test_a_push_that_comes_too_late_is_merged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with place() as (root, other):
        real = reaching.push
        late = iter([True, True, False, False])

        def push_late(root: Path, commit: str, branch: str) -> reaching.Sent:
            if next(late):
                write(other, {f"n{os.urandom(2).hex()}": "x"})
                git(other, "pull", "-q", "--no-rebase", "hub", "main")
                push(other)
            return real(root, commit, branch)

        monkeypatch.setattr(reaching, "push", push_late)
        write(root, {"a": "mine\n"})
        done = sync(root)
        assert (done.got, done.trouble) == (2, None)
        assert git(root, "rev-parse", "HEAD") == git(root, "rev-parse", "hub/main")


def test_two_syncs_of_one_folder_at_once_are_refused() -> None:
    with place() as (root, _), journal.turn(root), pytest.raises(UserError, match="under way"):
        sync(root)


def test_a_repository_without_a_commit_is_begun_and_undone() -> None:
    with place() as (mine, _):
        shutil.rmtree(mine / ".git")
        subprocess.run(["git", "init", "-q", "-b", "new", mine], check=True)
        git(mine, "config", "user.email", "m@example.org")
        git(mine, "remote", "add", "hub", str(mine.parent / "hub.git"))
        done = sync(mine)
        assert (done.sent, done.trouble) == (1, None)
        assert "new branch" in undo(mine).on_hub
        assert attempt(mine, "rev-parse", "HEAD")[0] != 0
        assert (mine / "a").read_text() == "0\n"
