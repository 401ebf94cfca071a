"""Blobs, trees, commits and tags, compared with what git reads."""

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
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, Entry, parse_ls_tree, tree_id
from lockgate.git.objects import EMPTY_TREE, Repository
from lockgate.git.program import git

ANA = ("Ana", "ana@example.org", 1_700_000_000)


@pytest.fixture(scope="module")
def repository() -> Iterator[Repository]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
        yield Repository(Path(folder))
        git(Path(folder), "fsck", "--strict")


@pytest.fixture(scope="module")
def blob(repository: Repository) -> Entry:
    return Entry(FILE, repository.write_blob(b"text"))


def listing(repository: Repository, tree: str) -> dict[str, Entry]:
    return parse_ls_tree(git(repository.path, "ls-tree", "-r", "-z", "--full-tree", tree))


def test_blobs_come_back(repository: Repository, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    (tmp_path / "file").write_bytes(content)
    oid = repository.write_file_blob(tmp_path / "file")
    assert oid == repository.write_blob(content)
    assert repository.read_blob(oid) == content
    assert repository.exists(oid)
    assert not repository.exists("0" * 40)
    assert not repository.exists("no id")


def test_what_is_missing_is_named(repository: Repository, tmp_path: Path) -> None:
    for call in (
        repository.read_blob,
        repository.read_commit,
        repository.tree_of,
        repository.read_tag_object,
    ):
        with pytest.raises(OutsideError, match="1111") as caught:
            call("1" * 40)
        assert caught.value.code == "object-missing"
    with pytest.raises(OutsideError) as caught:
        repository.commit(EMPTY_TREE[::-1], [], "x", ANA)
    assert caught.value.code == "object-missing"
    with pytest.raises(OutsideError) as caught:
        repository.write_file_blob(tmp_path / "nothing")
    assert caught.value.code == "git-failed"
    with pytest.raises(OutsideError) as caught:
        Repository(tmp_path)
    assert caught.value.code == "repository-missing"


def test_one_kind_is_not_taken_for_another(repository: Repository, blob: Entry) -> None:
    with pytest.raises(OutsideError, match="no commit"):
        repository.read_commit(blob.id)
    with pytest.raises(OutsideError, match="no blob"):
        repository.read_blob(repository.edit_tree(None, {"a": blob}))


paths = st.lists(st.sampled_from(["a", "a.b", "a-b", "b", "é", "\udcff"]), min_size=1, max_size=3).map(
    "/".join
)


def apply(files: dict[str, Entry], put: dict[str, Entry], remove: set[str]) -> dict[str, Entry]:
    """The model: what `edit_tree` promises, on a plain dict."""
    left = {
        path: entry
        for path, entry in files.items()
        if not any(path == gone or path.startswith(gone + "/") for gone in remove)
    }
    for new in put:
        left = {
            path: entry
            for path, entry in left.items()
            if not path.startswith(new + "/") and not new.startswith(path + "/")
        }
    return left | put


def has_conflict(put: dict[str, Entry]) -> bool:
    return any(a != b and b.startswith(a + "/") for a in put for b in put)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_editing_a_tree_is_editing_a_dict(repository: Repository, blob: Entry, data: st.DataObject) -> None:
    entries = st.sampled_from([blob, Entry(EXECUTABLE, blob.id)])
    sets = st.dictionaries(paths, entries, max_size=6)
    files = data.draw(sets.filter(lambda drawn: not has_conflict(drawn)))
    put, remove = data.draw(sets), data.draw(st.sets(paths, max_size=3))
    base = repository.edit_tree(None, files)
    assert base == tree_id(files.items())
    if has_conflict(put):
        with pytest.raises(UserError) as caught:
            repository.edit_tree(base, put, remove)
        assert caught.value.code == "path-conflict"
    else:
        edited = repository.edit_tree(base, put, remove)
        assert listing(repository, edited) == apply(files, put, remove)
        assert edited == tree_id(apply(files, put, remove).items())


def test_a_whole_folder_can_be_put(repository: Repository, blob: Entry) -> None:
    inner = repository.edit_tree(None, {"x/y": blob})
    tree = repository.edit_tree(None, {"data/copy": Entry(FOLDER, inner)})
    assert list(listing(repository, tree)) == ["data/copy/x/y"]


def test_all_removed_is_the_empty_tree(repository: Repository, blob: Entry) -> None:
    base = repository.edit_tree(None, {"a/b": blob, "c": blob})
    empty = repository.edit_tree(base, {}, ["a", "c", "never/there"])
    assert empty == EMPTY_TREE
    assert repository.edit_tree(empty, {"a": blob}) == repository.edit_tree(None, {"a": blob})


def test_a_path_into_the_git_folder_is_refused(repository: Repository, blob: Entry) -> None:
    with pytest.raises(UserError) as caught:
        repository.edit_tree(None, {".git/hooks/post-checkout": blob})
    assert caught.value.code == "path-unsafe"


def test_a_commit_is_what_git_reads(repository: Repository) -> None:
    first = repository.commit(empty_tree(repository), [], "First", ANA)
    hub = ("Hub <of>\nall", "hub@localhost", 1_700_000_060)
    second = repository.commit(empty_tree(repository), [first], "Zweiter é\n\nBody\n\n", ANA, hub)
    shown = git(repository.path, "log", "-1", "--format=%T|%P|%an|%ae|%at|%cn|%ct|%B", second).decode()
    assert (
        shown
        == f"{EMPTY_TREE}|{first}|Ana|ana@example.org|1700000000|Hub ofall|1700000060|Zweiter é\n\nBody\n\n"
    )
    read = repository.read_commit(second)
    assert (read.id, read.tree, read.parents) == (second, EMPTY_TREE, (first,))
    assert (read.author_name, read.author_email, read.committed_at) == (
        "Ana",
        "ana@example.org",
        1_700_000_060,
    )
    assert read.message == "Zweiter é\n\nBody\n"
    assert repository.tree_of(second) == EMPTY_TREE


def empty_tree(repository: Repository) -> str:
    return repository.edit_tree(None, {})


def test_a_commit_of_foreign_bytes_is_read(repository: Repository) -> None:
    tree = empty_tree(repository).encode()
    raw = b"tree " + tree + b"\nauthor J\xf6rg <> 5 +0200\ncommitter J\xf6rg <> 5 +0200\n\n\xff\n"
    oid = git(repository.path, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).decode().strip()
    read = repository.read_commit(oid)
    assert (read.author_name, read.message, read.committed_at) == ("J\ufffdrg", "\ufffd\n", 5)


def test_an_empty_name_still_makes_a_sound_commit(repository: Repository) -> None:
    oid = repository.commit(empty_tree(repository), [], "", ("<>", "", 0))
    assert repository.read_commit(oid).author_name == "unknown"


def test_ancestors(repository: Repository) -> None:
    tree = empty_tree(repository)
    a = repository.commit(tree, [], "a", ANA)
    b = repository.commit(tree, [a], "b", ANA)
    c = repository.commit(tree, [a], "c", ANA)
    assert repository.is_ancestor(a, b)
    assert repository.is_ancestor(a, a)
    assert not repository.is_ancestor(b, a)
    assert not repository.is_ancestor(b, c)
    with pytest.raises(OutsideError):
        repository.is_ancestor(a, "2" * 40)


def test_a_tag_object_comes_back_and_git_reads_it(repository: Repository) -> None:
    commit = repository.commit(empty_tree(repository), [], "tagged", ANA)
    oid = repository.write_tag_object(commit, "release/fares/1", '{"a": "é"}', ANA)
    tag = repository.read_tag_object(oid)
    assert (tag.id, tag.target, tag.name, tag.tagger) == (oid, commit, "release/fares/1", ANA)
    assert tag.message == '{"a": "é"}\n'
    assert git(repository.path, "rev-parse", f"{oid}^{{commit}}").decode().strip() == commit


def test_a_signed_tag_reads_without_its_signature(repository: Repository) -> None:
    commit = repository.commit(empty_tree(repository), [], "tagged", ANA)
    armour = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
    oid = repository.write_tag_object(commit, "v1", "text", ANA, lambda payload: armour)
    assert repository.read_tag_object(oid).message == "text\n"
    assert git(repository.path, "cat-file", "tag", oid).endswith(os.fsencode(armour))


def test_objects_another_process_wrote_are_seen(repository: Repository) -> None:
    oid = git(repository.path, "hash-object", "-w", "--stdin", stdin=b"late").decode().strip()
    assert repository.read_blob(oid) == b"late"
    git(repository.path, "repack", "-a", "-d", "-q")
    assert repository.read_blob(oid) == b"late"


def test_a_full_or_locked_disk_is_told_in_words(repository: Repository, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "r"], check=True)
    broken = Repository(tmp_path / "r")
    (tmp_path / "r" / "objects").rename(tmp_path / "away")
    (tmp_path / "r" / "objects").write_text("in the way")
    with pytest.raises(OutsideError) as caught:
        broken.write_blob(b"x")
    assert caught.value.code == "git-failed"
