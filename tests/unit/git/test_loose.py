"""Objects written as files are those that git would write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import OutsideError
from lockgate.git.loose import write_object
from lockgate.git.program import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "r.git"))
    return tmp_path / "r.git"


@pytest.mark.parametrize("content", [b"", b"one line\n", bytes(range(256)) * 1000])
def test_git_reads_what_was_written_under_the_id_it_gives_itself(repository: Path, content: bytes) -> None:
    expected = git(repository, "hash-object", "--stdin", stdin=content).decode().strip()
    for _ in range(2):
        assert write_object(repository, "blob", content) == expected
    assert git(repository, "cat-file", "blob", expected) == content
    git(repository, "fsck", "--strict")
    written = [path.name for path in (repository / "objects" / expected[:2]).iterdir()]
    assert written == [expected[2:]]


def test_a_tag_is_one_to_git(repository: Path) -> None:
    tree = write_object(repository, "tree", b"")
    head = f"object {tree}\ntype tree\ntag x\ntagger L <l@localhost> 0 +0000\n\nwords\n"
    oid = write_object(repository, "tag", head.encode())
    git(repository, "update-ref", "refs/x", oid)
    assert git(repository, "rev-parse", "refs/x^{tree}").decode().strip() == tree
    assert b"dangling" not in git(repository, "fsck", "--strict")


def test_a_folder_that_is_no_repository_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(OutsideError) as caught:
        write_object(tmp_path / "none", "blob", b"")
    assert caught.value.code == "git-failed"
    assert list(tmp_path.iterdir()) == []
