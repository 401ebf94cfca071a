"""Compare-and-swap of refs beside git itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.errors import OutsideError, UserError
from lockgate.git import refs
from lockgate.git.objects import Repository
from lockgate.git.program import git

NAME = "refs/lockgate/test"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "r.git"], check=True)
    return Repository(tmp_path / "r.git")


@pytest.fixture
def commits(repository: Repository) -> list[str]:
    tree = repository.edit_tree(None, {})
    return [repository.commit(tree, [], f"{number}", ("A", "", number)) for number in range(3)]


def by_git(repository: Repository, name: str = NAME) -> str:
    return git(repository.path, "for-each-ref", "--format=%(objectname)", name).decode().strip()


Swap = Callable[[Repository, str, str | None, str], bool]


def swap_by_git(repository: Repository, name: str, expected: str | None, new: str) -> bool:
    return refs.update_ref(repository.path, name, new, expected)


@pytest.mark.parametrize("swap", [refs.compare_and_swap, swap_by_git])
def test_only_from_the_expected_value(repository: Repository, commits: list[str], swap: Swap) -> None:
    a, b, c = commits
    assert refs.read(repository, NAME) is None
    assert not swap(repository, NAME, b, a)
    assert swap(repository, NAME, None, a)
    assert not swap(repository, NAME, None, b)
    assert by_git(repository) == a
    assert not swap(repository, NAME, c, b)
    assert swap(repository, NAME, a, b)
    assert by_git(repository) == refs.read(repository, NAME) == b
    assert not list(repository.path.glob("**/*.lock"))
    assert not list(repository.path.glob("lockgate-ref-*"))


@pytest.mark.parametrize("swap", [refs.compare_and_swap, swap_by_git])
def test_a_packed_ref_is_moved_and_deleted(repository: Repository, commits: list[str], swap: Swap) -> None:
    a, b, _ = commits
    swap(repository, NAME, None, a)
    git(repository.path, "pack-refs", "--all")
    assert not swap(repository, NAME, None, b)
    assert swap(repository, NAME, a, b)
    assert by_git(repository) == b
    git(repository.path, "pack-refs", "--all")
    assert not refs.delete(repository, NAME, a)
    assert refs.delete(repository, NAME, b)
    assert by_git(repository) == ""
    assert not refs.delete(repository, NAME, b)
    assert swap(repository, NAME, None, a)


def test_a_ref_is_made_once(repository: Repository, commits: list[str]) -> None:
    a, b, _ = commits
    assert refs.create(repository.path, NAME, a)
    assert not refs.create(repository.path, NAME, b)
    git(repository.path, "pack-refs", "--all")
    assert not (repository.path / NAME).exists()
    assert not refs.create(repository.path, NAME, b)
    assert by_git(repository) == a
    with pytest.raises(OutsideError) as caught:
        refs.create(repository.path, f"{NAME}/below", b)
    assert caught.value.code == "ref-conflict"
    assert not list(repository.path.glob("**/*.lock"))
    assert not list(repository.path.glob("lockgate-ref-*"))


def test_deleting_by_the_git_program(repository: Repository, commits: list[str]) -> None:
    a, b, _ = commits
    refs.compare_and_swap(repository, NAME, None, a)
    assert not refs.update_ref(repository.path, NAME, None, b)
    assert refs.update_ref(repository.path, NAME, None, a)
    assert refs.read(repository, NAME) is None


def test_listing_by_prefix(repository: Repository, commits: list[str]) -> None:
    a, b, c = commits
    for name, oid in (("refs/x/b", b), ("refs/x/a", a), ("refs/xy", c)):
        assert refs.compare_and_swap(repository, name, None, oid)
    assert list(refs.list_prefix(repository, "refs/x/").items()) == [("refs/x/a", a), ("refs/x/b", b)]
    assert refs.list_prefix(repository, "refs/none/") == {}


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_ref_is_no_folder_of_another(repository: Repository, commits: list[str], is_packed: bool) -> None:
    a = commits[0]
    refs.compare_and_swap(repository, "refs/x/a", None, a)
    if is_packed:
        git(repository.path, "pack-refs", "--all")
    for name in ("refs/x", "refs/x/a/b", "refs/x/a/b/c"):
        with pytest.raises(OutsideError) as caught:
            refs.compare_and_swap(repository, name, None, a)
        assert caught.value.code == "ref-conflict"
    git(repository.path, "update-ref", "refs/x/a", a)


def test_empty_folders_of_refs_long_gone_are_no_obstacle(repository: Repository, commits: list[str]) -> None:
    (repository.path / "refs" / "x" / "y" / "z").mkdir(parents=True)
    assert refs.compare_and_swap(repository, "refs/x", None, commits[0])


@pytest.mark.parametrize(
    "name", ["main", "HEAD", "refs/../config", "refs/a..b", "refs/a.lock", "refs/a b", ""]
)
def test_no_name_for_a_ref(repository: Repository, commits: list[str], name: str) -> None:
    for call in (
        lambda: refs.compare_and_swap(repository, name, None, commits[0]),
        lambda: refs.read(repository, name),
    ):
        with pytest.raises(UserError) as caught:
            call()
        assert caught.value.code == "ref-name"


def test_a_lock_that_stays_is_a_passing_failure(repository: Repository, commits: list[str]) -> None:
    a, b, _ = commits
    refs.compare_and_swap(repository, NAME, None, a)
    lock = repository.path / f"{NAME}.lock"
    lock.touch()
    calls: list[Callable[[], bool]] = [
        lambda: refs.compare_and_swap(repository, NAME, a, b, 0.02),
        lambda: refs.delete(repository, NAME, a, 0.02),
        lambda: refs.update_ref(repository.path, NAME, b, a, 0.02),
    ]
    for call in calls:
        with pytest.raises(OutsideError) as caught:
            call()
        assert caught.value.code == "ref-locked"
        assert caught.value.is_transient
    assert lock.exists()
    assert refs.read(repository, NAME) == a


@pytest.mark.parametrize("swap", [refs.compare_and_swap, swap_by_git])
def test_the_lock_of_a_dead_process_is_broken(repository: Repository, commits: list[str], swap: Swap) -> None:
    a, b, _ = commits
    refs.compare_and_swap(repository, NAME, None, a)
    lock = repository.path / f"{NAME}.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    assert swap(repository, NAME, a, b)
    assert not lock.exists()


def test_the_lock_of_a_killed_writer_of_ours_is_broken_at_once(
    repository: Repository, commits: list[str]
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = repository.path / f"{NAME}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"lockgate {os.uname().nodename} {dead.pid}\n")
    left = repository.path / f"{refs.FRESH}1-x"
    left.touch()
    os.utime(left, (1, 1))
    assert refs.compare_and_swap(repository, NAME, None, commits[0], 0.02)
    assert not left.exists()
    for holder in (
        f"lockgate {os.uname().nodename} {os.getpid()}",
        f"lockgate elsewhere {dead.pid}",
        "x",
        "é\n1 2",
    ):
        lock.write_text(holder)
        with pytest.raises(OutsideError):
            refs.compare_and_swap(repository, NAME, commits[0], commits[1], 0.02)


KILLED = """
import sys
from pathlib import Path
from lockgate.git import refs
from lockgate.git.objects import Repository
repository, (name, a, b) = Repository(Path(sys.argv[1])), sys.argv[2:]
print(flush=True)
while True:
    refs.compare_and_swap(repository, name, a, b) or refs.compare_and_swap(repository, name, b, a)
"""


def test_a_writer_killed_at_any_instant_leaves_a_ref_that_moves(
    repository: Repository, commits: list[str]
) -> None:
    a, b, _ = commits
    refs.compare_and_swap(repository, NAME, None, a)
    for delay in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, repository.path, NAME, a, b], stdout=subprocess.PIPE
        )
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            # Not to wait for anything: to be killed somewhere else each time
            time.sleep(0.004 * delay)
            writer.kill()
        current = refs.read(repository, NAME)
        assert current in (a, b)
        assert refs.compare_and_swap(repository, NAME, current, a)


def test_a_reader_never_sees_half_a_ref(repository: Repository, commits: list[str]) -> None:
    """git writes the same ref in a loop while we swap it: no step is lost, no value is torn."""
    a, b, c = commits
    refs.compare_and_swap(repository, NAME, None, a)
    other = subprocess.Popen(
        [sys.executable, "-c", GIT_LOOP, os.fspath(repository.path), NAME, a, b],
        stdout=subprocess.PIPE,
        text=True,
    )
    moved = 0
    while other.poll() is None:
        assert refs.read(repository, NAME) in commits
        moved += refs.compare_and_swap(repository, NAME, b, c) and refs.compare_and_swap(
            repository, NAME, c, a
        )
    output, _ = other.communicate()
    assert int(output) == 40
    assert moved in (39, 40)
    assert refs.read(repository, NAME) == (a if moved == 40 else b)


# git's own update-ref, forty times from a to b; each success needs our step back to a
GIT_LOOP = """
import subprocess, sys, time
path, name, a, b = sys.argv[1:]
done, give_up_at = 0, time.monotonic() + 60
while done < 40 and time.monotonic() < give_up_at:
    done += subprocess.run(["git", "-C", path, "update-ref", name, b, a], capture_output=True).returncode == 0
print(done)
"""
