"""Tree ids computed here are git's own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import OutsideError, UserError
from lockgate.git import batch as batch_module
from lockgate.git.batch import Batch
from lockgate.git.listing import EXECUTABLE, FILE, LINK, Entry, blob_id, parse_ls_tree, parse_tree, tree_id
from lockgate.git.program import git

# Names that sort differently as a file and as a folder, besides anything else git takes
names = st.sampled_from(["a", "a.b", "a-", "a0", "ab", "A", "é", " x ", "new\nline", "\udcff"]) | st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=6
).filter(lambda name: name not in (".", "..") and ".git" not in name.casefold() and "~" not in name)
contents = st.binary(max_size=8)
trees = st.recursive(
    st.dictionaries(names, st.tuples(st.sampled_from([FILE, EXECUTABLE, LINK]), contents), max_size=4),
    lambda inner: st.dictionaries(
        names, st.tuples(st.sampled_from([FILE, EXECUTABLE, LINK]), contents) | inner, max_size=4
    ),
    max_leaves=12,
)


def flat(tree: dict[str, object], above: str = "") -> Iterator[tuple[str, int, bytes]]:
    for name, inside in tree.items():
        if isinstance(inside, dict):
            yield from flat(inside, f"{above}{name}/")
        else:
            assert isinstance(inside, tuple)
            mode, content = inside
            yield f"{above}{name}", mode, content


@pytest.fixture(scope="module")
def repository() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
        yield Path(folder)


def write_by_git(repository: Path, rows: list[tuple[str, int, bytes]]) -> str:
    index = {"GIT_INDEX_FILE": os.fspath(repository / "test-index")}
    (repository / "test-index").unlink(missing_ok=True)
    ids = {content: git(repository, "hash-object", "-w", "--stdin", stdin=content) for _, _, content in rows}
    lines = b"".join(
        b"%o %s\t%s\0" % (mode, ids[content].strip(), os.fsencode(path)) for path, mode, content in rows
    )
    git(repository, "update-index", "--add", "-z", "--index-info", stdin=lines, environment=index)
    return git(repository, "write-tree", environment=index).decode().strip()


@given(tree=trees)
@settings(max_examples=40, deadline=None)
def test_tree_id_and_ls_tree_agree_with_git(repository: Path, tree: dict[str, object]) -> None:
    rows = list(flat(tree))
    by_git = write_by_git(repository, rows)
    entries = {path: Entry(mode, blob_id(content)) for path, mode, content in rows}
    assert tree_id(entries.items()) == by_git
    listed = parse_ls_tree(git(repository, "ls-tree", "-r", "-z", "--full-tree", by_git))
    assert listed == entries
    with Batch(repository) as batch:
        assert list(batch.listing(by_git).items()) == list(listed.items())


def test_a_commit_or_a_folder_that_is_not_there_is_told_of(repository: Path) -> None:
    with Batch(repository) as batch, pytest.raises(OutsideError) as caught:
        batch.listing("2" * 40)
    assert caught.value.code == "git-failed"
    lacking = git(repository, "mktree", "--missing", stdin=f"040000 tree {'2' * 40}\tgone\n".encode())
    with Batch(repository) as batch, pytest.raises(OutsideError):
        batch.listing(lacking.decode().strip())


def test_folders_that_unfold_without_end_are_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "MOST_FILES", 5_000)
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=b"").decode().strip()
    rows = "".join(f"100644 blob {blob}\t{n}\n" for n in range(10))
    wide = [git(repository, "mktree", stdin=rows.encode()).decode().strip()]
    for _ in range(8):
        rows = "".join(f"040000 tree {wide[-1]}\t{n}\n" for n in range(10))
        wide.append(git(repository, "mktree", stdin=rows.encode()).decode().strip())
    with Batch(repository) as batch:
        assert len(batch.listing(wide[2])) == 1_000
        with pytest.raises(UserError) as caught:
            batch.listing(wide[-1])
        assert caught.value.code == "tree-too-large"
        monkeypatch.setattr(batch_module, "MOST_LEVELS", 2)
        with pytest.raises(UserError):
            batch.listing(wide[2])


@pytest.mark.parametrize("content", [b"100644", b"100644 a", b"100644 a\0short", b"rw a\0" + bytes(20)])
def test_what_is_no_tree_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_tree(content)


def test_the_empty_tree_has_the_id_everybody_knows() -> None:
    assert tree_id([]) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert parse_ls_tree(b"") == {}
