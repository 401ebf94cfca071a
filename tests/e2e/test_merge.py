"""`lockgate merge`: another branch into this one; nothing lost, nothing half done, all of it undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree


def merged(tree: WorkTree, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tree.lockgate("merge", *words, "--json", code=code).out)
    return found


def state(tree: WorkTree) -> tuple[str, str, str, str]:
    files = {
        str(path.relative_to(tree.path)): path.read_bytes()
        for path in tree.path.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(tree.path).parts
    }
    staged = tree.git("ls-files", "--stage").out
    return tree.head(), tree.git("status", "--porcelain").out, staged, repr(sorted(files.items()))


@pytest.fixture
def tree(place: Place) -> WorkTree:
    """On `main`, with a branch `trial` that changed the same lines, and more."""
    made = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "t": "a\nb\nc\n", "u": "1\n"})
    made.git("switch", "--quiet", "-c", "trial")
    made.commit({"t": "a\ntrial\nc\n", "u": "trial\n", "new": "n"}, "Try it")
    made.git("switch", "--quiet", "main")
    return made


def test_what_both_changed_is_asked_about_and_all_is_undone(tree: WorkTree) -> None:
    tree.commit({"t": "a\nmine\nc\n"})
    tree.write({"u": "mine\n", "untracked": "u"})
    tree.git("add", "u")
    before = state(tree)
    for words in (["--dry-run"], []):
        asked = merged(tree, "trial", *words, code=2)
        assert {each["path"]: each["kind"] for each in asked["conflicts"]} == {"t": "text", "u": "text"}
        assert state(tree) == before
    assert "Nothing was changed" in tree.lockgate("merge", "trial", code=2).out
    told = merged(tree, "trial", "--mine", "t", "--theirs", "u", "--dry-run")
    assert (told["changed"], told["is_done"], state(tree)) == (["new", "u"], False, before)
    done = merged(tree, "trial", "--mine", "t", "--theirs", "u")
    assert (done["commits"], done["changed"]) == (1, ["new", "u"])
    assert done["committed"] == "Change u; add untracked"
    assert (tree.read("t"), tree.read("new"), tree.read("untracked")) == ("a\nmine\nc\n", "n", "u")
    assert tree.read("u") == "trial\n"
    assert tree.git("log", "-1", "--format=%s").out == "Merge trial\n"
    assert tree.git("status", "--porcelain").out == ""
    assert "Nothing to merge" in tree.lockgate("merge", "trial").out
    assert "the last one was a merge" in tree.lockgate("sync", "--undo", code=2).err
    tree.lockgate("merge", "--undo")
    assert state(tree) == before


def test_a_merge_goes_to_the_hub_with_the_next_sync_and_is_taken_back_there(tree: WorkTree) -> None:
    tree.lockgate("sync")
    tree.place.settle()
    tree.lockgate("sync")
    tip = tree.place.on_hub("rev-parse", "main")
    before = state(tree)
    assert merged(tree, "trial")["commits"] == 1
    assert tree.place.on_hub("rev-parse", "main") == tip
    tree.lockgate("sync")
    assert tree.place.on_hub("show", "main:new") == "n"
    assert "takes back what was pushed" in tree.lockgate("merge", "--undo").out
    assert state(tree) == before
    assert "new" not in tree.place.on_hub("ls-tree", "--name-only", "main").split()


@pytest.mark.parametrize(
    "name",
    [
        "nowhere",
        "--output=/tmp/x",
        "main~1",
        "trial@{0}",
        "../heads/trial",
        "a b",
        "é\u202e",
        "*",
        "x" * 5000,
    ],
    ids=["none", "option", "ancestor", "reflog", "path", "space", "bidi", "glob", "long"],
)
def test_a_name_that_is_no_branch_is_refused(tree: WorkTree, name: str) -> None:
    before = state(tree)
    assert "branch-unknown" in tree.lockgate("merge", "--", name, code=2).err
    assert state(tree) == before


def test_what_cannot_be_merged_is_refused_and_nothing_is_changed(tree: WorkTree) -> None:
    tree.git("switch", "--quiet", "--orphan", "apart")
    tree.commit({"alone": "1"})
    tree.git("switch", "--quiet", "main")
    tree.write({"i": "edited\n"})
    before = state(tree)
    refused = tree.lockgate("merge", "apart", code=2).err
    assert "no-common-history" in refused
    assert "--allow-unrelated-histories apart" in refused
    tree.write({".git/info/exclude": "new\n", "new": "ignored, and mine"})
    assert "ignored-in-the-way" not in tree.lockgate("merge", "trial", "--dry-run").said
    (tree.path / ".git/info/exclude").unlink()
    tree.write({".gitignore": "new\n"})
    assert "ignored-in-the-way" in tree.lockgate("merge", "trial", code=2).err
    assert tree.read("new") == "ignored, and mine"
    (tree.path / "new").unlink()
    (tree.path / ".gitignore").unlink()
    assert state(tree) == before
    tree.git("checkout", "--quiet", "--detach")
    assert "detached-head" in tree.lockgate("merge", "trial", code=2).err
    assert "usage" in tree.lockgate("merge", code=2).err.lower()


def test_what_is_too_large_for_git_becomes_data_and_is_no_data_after_the_undo(tree: WorkTree) -> None:
    tree.write({"lockgate.toml": f'[data]\ngit_limit = "1 kB"\n{ONE_STAGE}', "big": "x" * 5000})
    before = state(tree)
    assert merged(tree, "trial", "--dry-run")["data"] == ["big"]
    assert state(tree) == before
    assert merged(tree, "trial")["data"] == ["big"]
    assert "big.dvc" in tree.git("ls-files").out.split()
    tree.lockgate("merge", "--undo")
    assert state(tree)[:3] == before[:3]
    assert tree.read("big") == "x" * 5000
