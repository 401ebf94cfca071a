"""One git process answers many questions; two trees are compared as git compares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import OutsideError
from lockgate.git.batch import Batch
from lockgate.git.program import git
from lockgate.git.trees import differences


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    for name, value in (("user.name", "ada"), ("user.email", "ada@example.org")):
        git(tmp_path, "config", name, value)
    return tmp_path


def commit(repository: Path) -> str:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Work")
    return git(repository, "rev-parse", "HEAD").decode().strip()


def test_answers_come_in_order_however_many_and_large(repository: Path) -> None:
    for number in range(600):
        (repository / f"file {number}").write_bytes(b"%d\n" % number * (number * 10))
    oid = commit(repository)
    asked = [f"{oid}:file {number}" for number in range(600)]
    asked.insert(300, f"{oid}:no such file")
    with Batch(repository) as batch:
        found = []
        for each in batch.read_many(asked):
            found.append(each)
            assert batch.read("HEAD") is not None
        sizes = list(batch.sizes(asked))
    assert found[300] is None and sizes[300] is None
    kept = [each for each in found if each is not None]
    assert [each.content for each in kept] == [b"%d\n" % number * (number * 10) for number in range(600)]
    assert [size for size in sizes if size is not None] == [len(each.content) for each in kept]


def test_a_folder_that_is_no_repository_is_told_of(tmp_path: Path) -> None:
    with Batch(tmp_path / "none") as batch, pytest.raises(OutsideError) as caught:
        batch.read("HEAD")
    assert caught.value.code == "git-failed"


def test_trees_differ_as_git_says(repository: Path) -> None:
    (repository / "same").write_text("1\n")
    (repository / "gone").write_text("1\n")
    (repository / "turns").write_text("1\n")
    (repository / "deep" / "er").mkdir(parents=True)
    (repository / "deep" / "er" / "ä b").write_text("1\n")
    (repository / "deep" / "still").write_text("1\n")
    old = commit(repository)
    (repository / "gone").unlink()
    (repository / "turns").unlink()
    (repository / "turns").mkdir()
    (repository / "turns" / "x").write_text("1\n")
    (repository / "deep" / "er" / "ä b").write_text("2\n")
    (repository / "new").symlink_to("same")
    new = commit(repository)
    listed = git(repository, "-c", "core.quotePath=off", "diff", "--name-only", "--no-renames", old, new)
    with Batch(repository) as batch:
        found = [path for path, _, _ in differences(batch, f"{new}^{{tree}}", f"{old}^{{tree}}")]
    assert sorted(found) == sorted(listed.decode().splitlines())
