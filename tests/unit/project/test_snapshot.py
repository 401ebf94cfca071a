"""A project's files at one moment: of a commit, or of the work tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate.errors import OutsideError
from lockgate.git.listing import EXECUTABLE, FILE, LINK, SUBMODULE, Entry
from lockgate.git.program import git
from lockgate.project.snapshot import CommitSource, WorktreeSource

ODD = os.fsdecode(b"caf\xe9 \n.csv")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    root.mkdir()
    git(root, "init", "-q")
    (root / "sub").mkdir()
    for name, content in (("a.txt", b"a"), ("sub/b.txt", b"b"), (ODD, b"odd"), ("gone.txt", b"g")):
        (root / name).write_bytes(content)
    (root / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("sub/b.txt")
    (root / ".gitignore").write_text("ignored\n")
    git(root, "add", "-A")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(root, "commit", "-q", "-m", "one")
    return root


def test_a_commit(root: Path) -> None:
    source = CommitSource(root, "HEAD")
    (root / "a.txt").write_text("later")
    files = source.files()
    assert set(files) == {"a.txt", "sub/b.txt", ODD, "gone.txt", "run.sh", "link", ".gitignore", "module"}
    assert [files[name].mode for name in ("a.txt", "run.sh", "link", "module")] == [
        FILE,
        EXECUTABLE,
        LINK,
        SUBMODULE,
    ]
    assert source.read(["a.txt", "link", ODD, "not there", "sub", "module", "a.txt"]) == {
        "a.txt": b"a",
        "link": b"sub/b.txt",
        ODD: b"odd",
    }
    assert source.read([]) == {}


def test_a_commit_that_is_not_there(root: Path) -> None:
    with pytest.raises(OutsideError):
        CommitSource(root, "2" * 40).files()


def test_a_clean_work_tree_is_its_commit(root: Path) -> None:
    (root / "module").mkdir()
    (root / "ignored").write_text("x")
    assert WorktreeSource(root).files() == CommitSource(root, "HEAD").files()


def test_a_work_tree_as_it_is(root: Path) -> None:
    """Whatever is staged or not: the files give what a commit of them would."""
    (root / "module").mkdir()
    (root / "a.txt").write_text("changed")
    (root / "new é.txt").write_text("new")
    (root / "staged.txt").write_text("staged")
    git(root, "add", "staged.txt")
    (root / "staged.txt").write_text("and changed")
    (root / "gone.txt").unlink()
    (root / "run.sh").chmod(0o644)
    (root / "link").unlink()
    (root / "link").symlink_to("nowhere")
    (root / "ignored").write_text("x")
    git(root, "rm", "-q", "--cached", "sub/b.txt")
    source = WorktreeSource(root)
    found = source.files()
    assert source.read(["a.txt", "link", "gone.txt", "sub", "a.txt/x"]) == {
        "a.txt": b"changed",
        "link": b"nowhere",
    }
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "two")
    assert found == CommitSource(root, "HEAD").files()


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert WorktreeSource(tmp_path).files() == {}
    (tmp_path / "a").write_text("")
    assert WorktreeSource(tmp_path).files() == {"a": Entry(FILE, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")}
