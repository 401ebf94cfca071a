"""`lockgate sync`: two members, one button, nothing lost, all of it undone."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree

from lockgate.activity.execution import Execution
from lockgate.hub.worktree.journal import Journal


def synced(tree: WorkTree, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tree.lockgate("sync", *words, "--json", code=code).out)
    tree.place.settle()
    return found


def state(tree: WorkTree) -> tuple[str, str, str]:
    files = {
        str(path.relative_to(tree.path)): path.read_bytes()
        for path in tree.path.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(tree.path).parts
    }
    return tree.head(), tree.git("status", "--porcelain").out, repr(sorted(files.items()))


@pytest.fixture
def two(place: Place) -> tuple[WorkTree, WorkTree]:
    first = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "t": "a\nb\nc\n", "bytes": b"\0\1"})
    synced(first)
    synced(first)
    return first, place.clone("two", "two@example.org")


def test_both_get_what_the_other_changed_and_results_too(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    assert first.has("o")
    first.write({"t": "A\nb\nc\n"})
    assert synced(first)["committed"] == "Change t"
    second.write({"t": "a\nb\nC\n", "new": "x"})
    done = synced(second)
    assert (done["got"], done["conflicts"], done["run"] is None) == (1, [], False)
    assert second.read("t") == "A\nb\nC\n"
    assert synced(first)["changed"] == ["new", "t"]
    assert first.read("t") == "A\nb\nC\n"
    assert synced(first)["sent"] == 0
    assert "Nothing to sync" in first.lockgate("sync").out
    assert "no conflict in t" in first.lockgate("sync", "--mine", "t", code=2).err


def test_a_kernel_that_a_lead_changed_is_told_to_who_gets_it(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    first.lockgate("kernel", "add", "lab")
    synced(first)
    assert synced(second)["notes"] == ["the project has a new kernel: lab"]
    specification = json.loads(first.read("kernels/lab/kernel.json"))
    first.write({"kernels/lab/kernel.json": json.dumps(specification | {"display_name": "Another"})})
    assert synced(first)["notes"] == []
    assert synced(second)["notes"] == ["the kernel lab was changed; restart the notebooks that use it"]


@pytest.mark.parametrize("way", ["--mine", "--theirs", "--use"])
def test_a_conflict_touches_nothing_until_it_is_decided_and_is_undone(
    two: tuple[WorkTree, WorkTree], way: str
) -> None:
    first, second = two
    first.write({"t": "a\nfirst\nc\n"})
    synced(first)
    second.write({"t": "a\nsecond\nc\n", "more": "m"})
    second.git("add", "t")
    before = state(second)
    asked = synced(second, code=2)
    (conflict,) = asked["conflicts"]
    assert (conflict["path"], conflict["kind"]) == ("t", "text")
    assert (conflict["mine"]["text"], conflict["theirs"]["text"]) == ("a\nsecond\nc\n", "a\nfirst\nc\n")
    assert state(second) == before
    if way != "--use":
        assert "no-conflict" in second.lockgate("sync", way, "t", way, "more", code=2).err
        assert state(second) == before
    (second.place.root / "solved").write_text("solved\n")
    word = f"t={second.place.root / 'solved'}" if way == "--use" else "t"
    synced(second, way, word)
    expected = {"--mine": "a\nsecond\nc\n", "--theirs": "a\nfirst\nc\n", "--use": "solved\n"}[way]
    assert second.read("t") == expected
    assert "Undo" not in second.git("log", "--format=%s").out
    told = second.lockgate("sync", "--undo").out
    assert "takes back what was pushed" in told
    assert state(second) == before
    assert synced(first)["conflicts"] == []
    assert first.read("t") == "a\nfirst\nc\n"
    assert not first.has("more")


def test_a_file_one_removed_and_the_other_changed(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    first.write({"t": "changed\n", "bytes": b"\0\2"})
    synced(first)
    (second.path / "t").unlink()
    second.write({"bytes": b"\0\3"})
    kinds = {each["path"]: each["kind"] for each in synced(second, code=2)["conflicts"]}
    assert kinds == {"t": "deleted-by-me", "bytes": "binary"}
    synced(second, "--mine", "t", "--theirs", "bytes")
    assert not second.has("t")
    assert (second.path / "bytes").read_bytes() == b"\0\2"


def test_a_hub_that_is_away_leaves_the_commit_for_the_next_sync(two: tuple[WorkTree, WorkTree]) -> None:
    first, _ = two
    hub = first.place.hub
    hub.rename(hub.with_name("gone"))
    first.write({"t": "meanwhile\n"})
    done = json.loads(first.lockgate("sync", "--json", code=3).out)
    assert (done["committed"], done["trouble"]["code"]) == ("Change t", "hub-unreachable")
    hub.with_name("gone").rename(hub)
    assert synced(first)["sent"] == 1
    # The commit made while the hub was away is what the undo takes back, there too
    assert "takes back" in first.lockgate("sync", "--undo").out
    assert first.read("t") == "meanwhile\n"


def test_what_is_too_large_for_git_becomes_data(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    first.write({"lockgate.toml": f'[data]\ngit_limit = "1 kB"\n{ONE_STAGE}', "big": "x" * 5000})
    before = state(first)
    assert synced(first)["data"] == ["big"]
    assert "big.dvc" in first.git("ls-files").out.split()
    synced(second)
    assert second.has("big.dvc")
    first.lockgate("sync", "--undo")
    assert state(first)[:2] == before[:2]
    assert first.read("big") == "x" * 5000


def test_an_edit_since_the_sync_is_never_undone(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    first.write({"t": "first\n"})
    synced(first)
    second.write({"new": "n"})
    synced(second)
    second.write({"t": "and edited\n"})
    assert "edited-since-sync" in second.lockgate("sync", "--undo", code=2).err
    assert second.read("t") == "and edited\n"
    second.commit(message="by hand")
    assert "moved-since-sync" in second.lockgate("sync", "--undo", code=2).err


def test_an_ignored_file_in_the_way_stays(two: tuple[WorkTree, WorkTree]) -> None:
    first, second = two
    first.write({"notes.log": "first's"})
    synced(first)
    second.write({".gitignore": "*.log\n", "notes.log": "mine"})
    assert "ignored-in-the-way" in second.lockgate("sync", code=2).err
    assert second.read("notes.log") == "mine"
    assert second.git("status", "--porcelain").out == "?? .gitignore\n"


@pytest.mark.parametrize("word", ["t", "t=", "=i", "t=absent", "t=bytes"])
def test_a_choice_without_a_text_is_refused_in_words(two: tuple[WorkTree, WorkTree], word: str) -> None:
    first, _ = two
    first.write({"bytes": b"\xff\xfe"})
    said = first.lockgate("sync", "--use", word, code=2).err
    assert said.startswith(f"error: --use {word}: there is no text to read: ")
    assert "Errno" not in said and "[choice-invalid]" in said


def test_what_one_executed_reaches_the_other_by_sync_and_is_gone_back_to(
    two: tuple[WorkTree, WorkTree],
) -> None:
    first, second = two
    first.write({"t": "as the cell ran\n"})
    done = Execution(
        code="token = 'hunter2hunter2'\nfit()", count=4, started_at=time.time(), status="ok", text="loss 1\n",
        notebook="n.ipynb",
    )  # fmt: skip
    (entry,) = Journal(first.path).note([done], [])
    first.write({"t": "a\nb\nc\n", "more": "m"})
    synced(first)
    assert "Synced main: sent 1 commit" in first.lockgate("activity", "--kind", "sync").out
    told = second.lockgate("activity", "--kind", "cell", "--branch", "main").out
    assert f"{entry[:10]}" in told
    assert "n.ipynb [4]: token = '‹secret›'" in told
    assert "nothing is recorded" in second.lockgate("activity", "--by", "nobody").out
    shown = second.lockgate("activity", entry[:10]).out
    assert "hunter2" not in shown
    assert "fit()" in shown
    assert "loss 1" in shown
    assert "entry-unknown" in second.lockgate("activity", "0000000000", code=2).err
    begun = second.lockgate("rollback", entry[:10], "--branch", "again").out
    assert "again begins at n.ipynb [4]" in begun
    assert second.read("t") == "as the cell ran\n"
    assert second.git("branch", "--show-current").out == "again\n"
    second.git("switch", "-q", "main")
    assert "run-unknown" in second.lockgate("rollback", "abcdef012345", "--yes", code=2).err
    second.lockgate("rollback", entry[:10], "--yes")
    assert second.read("t") == "as the cell ran\n"
