"""The 100 MB rule: what is too large for git becomes data, and history that has it is refused and mended."""

from __future__ import annotations

import os

import pytest
from data_place import hub_store, store_of
from e2e_place import Place, WorkTree

from lockgate.data.digest import md5_of
from lockgate.data.linking import digest_of
from lockgate.git.worktree import Changes
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.push import Options
from lockgate.hub.worktree import git_rule, history_repair, large_files
from lockgate.hub.worktree.submission import submit

MANIFEST = """\
[data]
git_limit = "1 MB"

[stages.count]
run = "wc -c < big.bin > o"
needs = ["big.bin"]
makes = ["o"]
"""
BIG = os.urandom(1_500_000)


def without_hooks(tree: WorkTree) -> WorkTree:
    """A clone of somebody who works with git alone."""
    (tree.path / ".git/hooks/pre-commit").unlink()
    return tree


def test_a_large_file_leaves_git_with_the_run_and_the_branch_stays(place: Place) -> None:
    tree = place.project({"lockgate.toml": MANIFEST})
    tree.write({"big.bin": BIG})
    head, status = tree.head(), tree.git("status", "--porcelain").out
    assert "sent to the hub: 1 object, 1.5 MB" in tree.lockgate("run").out
    assert tree.read("o").strip() == "1500000"
    assert tree.head() == head
    assert tree.git("diff", "--cached", "--name-only").out == ""
    assert "?? big.bin" in status and "?? big.bin" in tree.git("status", "--porcelain").out
    assert (tree.path / "big.bin").read_bytes() == BIG
    assert "nothing to do" in tree.lockgate("run").out
    sizes = tree.git("cat-file", "--batch-all-objects", "--batch-check=%(objectsize)").out.split()
    assert max(map(int, sizes)) < 1_000_000
    assert store_of(tree).folder.is_dir() and hub_store(tree).folder.is_dir()


def test_a_folder_of_very_many_files_does_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = '[stages.s]\nrun = "ls pics/raw | wc -l > o"\nneeds = ["pics"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "pics/readme": "here\n"})
    tree.write({f"pics/raw/{number}": f"{number}\n" for number in range(21)})
    monkeypatch.setattr(git_rule, "FILES_AT_MOST", 20)
    told: list[object] = []
    done = submit(tree.path, Options(is_wait=True), told.append)
    assert done.ended is not None and done.ended.state == "succeeded", done
    assert isinstance(told[0], Carried) and told[0].count == 22
    assert tree.read("o").strip() == "21"
    assert "pics/raw/1" not in tree.git("ls-tree", "-r", "--name-only", done.snapshot).out
    assert "pics/readme" in tree.git("ls-tree", "-r", "--name-only", done.snapshot).out


def test_history_with_a_large_file_is_refused_with_what_mends_it(place: Place) -> None:
    tree = without_hooks(place.project({"lockgate.toml": MANIFEST}))
    tree.commit({"big.bin": BIG}, "by mistake")
    large = tree.head()
    tree.commit({"i": "1\n"})
    refused = tree.push(code=1).err
    assert f"big.bin (1.5 MB, commit {large[:10]}) is larger than git may hold" in refused
    assert "lockgate data repair" in refused
    assert place.refs("refs/heads") == {}


def test_what_the_hub_has_already_is_no_matter(place: Place) -> None:
    tree: WorkTree = place.project({"lockgate.toml": MANIFEST.replace("1 MB", "2 MB"), "big.bin": BIG})
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    tree.commit({"lockgate.toml": MANIFEST})
    tree.push()
    tree.commit({"i": "1\n"})
    assert "nothing to do" in tree.push().err
    tree.git("mv", "big.bin", "moved.bin")
    tree.commit()
    tree.git("push", "--quiet", "-o", "skip", "hub", "main")


def test_repair_makes_data_of_it_and_the_push_goes_through(place: Place) -> None:
    tree = without_hooks(place.project({"lockgate.toml": MANIFEST, "i": "0\n"}))
    tree.git("push", "--quiet", "-o", "skip", "hub", "main")
    kept = tree.head()
    tree.commit({"sub/big.bin": BIG, "sub/.gitignore": "x"}, "by mistake")
    tree.git("checkout", "--quiet", "-b", "side")
    tree.commit({"big.bin": BIG[:-1], "j": "1\n"}, "beside")
    tree.git("checkout", "--quiet", "main")
    tree.git(
        "-c", "user.name=Somebody Else", "commit", "--quiet", "--allow-empty", "-m", "third\n\nwith words"
    )
    tree.git("merge", "--quiet", "--no-ff", "--no-edit", "side")
    tree.git("tag", "-a", "-m", "a tag", "v1")
    about = "%an %ae %ad %cn %ce %cd %B"
    before = tree.git("log", f"--format={about}", "--topo-order").out
    tree.write({"i": "edited\n", "staged": "s\n"})
    tree.git("add", "staged")

    old = tree.head()
    said = tree.lockgate("data", "repair").out
    assert "data now: sub/big.bin (1.5 MB)" in said and "data now: big.bin (1.5 MB)" in said
    assert tree.git("log", f"--format={about}", "--topo-order").out == before
    assert len(tree.git("log", "-1", "--format=%P").out.split()) == 2
    assert tree.git("merge-base", kept, "HEAD").out.strip() == kept
    assert tree.git("rev-parse", "v1^{commit}", "side^{commit}").out.split()[0] == tree.head()
    assert old in tree.git("for-each-ref", "refs/lockgate/backup/").out
    assert tree.git("status", "--porcelain").out.splitlines() == [
        " M i",
        "A  staged",
        "?? .dvc/",
        "?? .dvcignore",
    ]
    assert (tree.path / "sub/big.bin").read_bytes() == BIG
    assert tree.read("sub/.gitignore") == "x\n/big.bin\n"
    tree.git("fsck", "--strict")
    assert "nothing to repair" in tree.lockgate("data", "repair").out
    tree.git("push", "--quiet", "-o", "skip", "hub", "main", "side", "v1")
    assert "SUCCEEDED" in tree.lockgate("run").out
    assert tree.read("o").strip() == "1499999"


@pytest.mark.parametrize("at", ["move", "settle"])
def test_a_repair_that_was_killed_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    tree = without_hooks(place.project({"lockgate.toml": MANIFEST}))
    tree.commit({"big.bin": BIG})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history_repair, f"_{at}", die)
        with pytest.raises(KeyboardInterrupt):
            history_repair.repair(tree.path)
    done = history_repair.repair(tree.path)
    assert [file.path for file in done.files] == ["big.bin"]
    assert tree.git("status", "--porcelain").out == "?? .dvc/\n?? .dvcignore\n"
    assert tree.git("ls-files").out.split() == [
        ".gitattributes",
        ".gitignore",
        "big.bin.dvc",
        "lockgate.toml",
    ]
    assert (tree.path / "big.bin").read_bytes() == BIG


def test_the_hooks_that_init_writes_stop_a_large_commit_and_send_data_with_a_push(place: Place) -> None:
    tree = place.project({"lockgate.toml": MANIFEST})
    hook = tree.path / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho mine >> seen\n")
    hook.chmod(0o755)
    assert "wrote the hook pre-commit" in tree.lockgate("init").out
    assert "the hook" not in tree.lockgate("init").out
    tree.write({"big.bin": BIG})
    tree.git("add", "big.bin")
    refused = tree.git("commit", "-qm", "x", code=1).err
    assert (
        "big.bin (1.5 MB) is larger than git may hold" in refused and "lockgate data add big.bin" in refused
    )
    assert tree.read("seen") == "mine\n"
    tree.lockgate("data", "add", "big.bin")
    tree.git("add", "big.bin.dvc", ".gitignore")
    tree.git("commit", "-qm", "data")
    pushed = tree.push().err
    assert "sent to the hub: 1 object, 1.5 MB" in pushed and "SUCCEEDED" in pushed
    tree.pull()
    assert tree.read("o").strip() == "1500000"


def test_hooks_that_lie_elsewhere_are_not_touched(place: Place) -> None:
    tree = place.project({"lockgate.toml": MANIFEST})
    tree.git("config", "core.hooksPath", str(place.outside))
    assert "is not touched; to have it: lockgate hook pre-commit" in tree.lockgate("init").out
    assert list(place.outside.iterdir()) == []


def test_what_looks_as_it_did_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is known by its inode, size and time: one file of many that changed is read alone."""
    monkeypatch.setattr(git_rule, "FILES_AT_MOST", 20)
    tree = place.project({"lockgate.toml": MANIFEST.replace("1 MB", "1 kB")})
    tree.write({"large.bin": b"x" * 5_000, **{f"many/{n}": f"{n}\n" for n in range(30)}})
    for path in (tree.path / "large.bin", *(tree.path / "many").iterdir()):
        os.utime(path, ns=(1_700_000_000_000_000_001,) * 2)
    untracked = ("large.bin", *(f"many/{n}" for n in range(30)))
    changes = Changes(tree.head(), "main", (), untracked)
    read: list[str] = []

    def digest(path: str, seen: tuple[int, int, int]) -> str:
        read.append(os.path.relpath(path, tree.path))
        return digest_of(path, seen)

    monkeypatch.setattr(large_files, "digest_of", digest)
    first = large_files.swaps_for(tree.path, changes)
    assert sorted(read) == sorted(untracked)
    read.clear()
    assert large_files.swaps_for(tree.path, changes) == first
    assert read == []
    (tree.path / "many" / "7").write_text("seven\n")
    store = store_of(tree)
    store.path(md5_of(b"x" * 5_000)).unlink()
    again = large_files.swaps_for(tree.path, changes)
    assert read == ["many/7"]
    assert again.put["large.bin.dvc"] == first.put["large.bin.dvc"]
    assert again.put["many.dvc"] != first.put["many.dvc"]
    assert store.has(md5_of(b"x" * 5_000))
    assert store.has(md5_of(b"seven\n"))
