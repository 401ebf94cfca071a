"""Snapshots of real work trees, in every state a member leaves them in."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git import worktree
from lockgate.git.listing import EXECUTABLE, LINK, SUBMODULE, Entry, parse_ls_tree
from lockgate.git.program import git
from lockgate.git.worktree import Changes, checkout_paths, parse_status, snapshot

USER = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "protocol.file.allow=always")


@pytest.fixture(autouse=True)
def plain_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of whoever runs the tests."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in worktree.IDENTITY:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "project"], check=True)
    return tmp_path / "project"


@pytest.fixture
def root(empty: Path) -> Path:
    (empty / "train.py").write_text("print(1)\n")
    (empty / "data").mkdir()
    (empty / "data" / "a.csv").write_text("a\n1\n")
    (empty / ".gitignore").write_text("*.tmp\n")
    return commit(empty, "First")


def commit(root: Path, message: str) -> Path:
    git(root, "add", "--all")
    git(root, *USER, "commit", "-q", "-m", message)
    return root


def listing(root: Path, tree: str) -> dict[str, Entry]:
    return parse_ls_tree(git(root, "ls-tree", "-r", "-z", "--full-tree", tree))


def content(root: Path, commit: str, path: str) -> bytes:
    return git(root, "cat-file", "blob", f"{commit}:{path}")


def state(root: Path) -> tuple[bytes, ...]:
    """All that a snapshot must leave alone."""
    git_dir = Path(git(root, "rev-parse", "--absolute-git-dir").decode().strip())
    index = (git_dir / "index").read_bytes() if (git_dir / "index").exists() else b""
    status = git(root, "--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch")
    refs = git(root, "for-each-ref")
    names = os.fsencode("\n".join(sorted(path.name for path in git_dir.iterdir())))
    return index, status, refs, names, (git_dir / "HEAD").read_bytes()


def untouched_snapshot(root: Path, message: str = "Snapshot") -> str:
    before = state(root)
    made = snapshot(root, message)
    assert state(root) == before
    return made


def test_a_clean_tree_is_its_own_snapshot(root: Path) -> None:
    assert untouched_snapshot(root) == worktree.head(root)[1]


def test_all_that_is_not_committed_is_in_it(root: Path) -> None:
    names = [
        "new file.txt",
        "è/ü.txt",
        "line\nbreak",
        os.fsdecode(b"\xff.bin"),
        "-dash",
        '"quoted"',
        ":(top)x",
    ]
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name, errors="surrogateescape")
    (root / "ignored.tmp").write_text("x")
    (root / "train.py").write_text("print(2)\n")
    git(root, "add", "train.py")
    (root / "train.py").write_text("print(3)\n")
    (root / "train.py").chmod(0o755)
    (root / "data" / "a.csv").unlink()
    (root / "link").symlink_to("train.py")
    made = untouched_snapshot(root, "Titre é\n\nBody")
    files = listing(root, made)
    assert set(files) == {".gitignore", "train.py", "link", *names}
    assert content(root, made, "train.py") == b"print(3)\n"
    assert (files["train.py"].mode, files["link"].mode) == (EXECUTABLE, LINK)
    shown = git(root, "log", "-1", "--format=%P %s|%b", made).decode()
    assert shown == f"{worktree.head(root)[1]} Titre é|Body\n"
    found = worktree.changes(root)
    assert (found.head, found.branch) == (worktree.head(root)[1], "main")
    assert found.changed == ("train.py",)
    assert found.deleted == ("data/a.csv",)
    assert set(found.untracked) == {*names, "link"}


def test_a_change_staged_and_taken_back_differs_in_nothing(root: Path) -> None:
    (root / "train.py").write_text("print(2)\n")
    git(root, "add", "train.py")
    (root / "train.py").write_text("print(1)\n")
    assert not worktree.changes(root).is_clean
    assert untouched_snapshot(root) == worktree.head(root)[1]


def test_a_change_within_the_same_instant_and_size_is_seen(root: Path) -> None:
    """The racy git problem: the copy of the index must not be younger than the index."""
    file = root / "train.py"
    git(root, "update-index", "--refresh")
    stat = (root / ".git" / "index").stat()
    os.utime(file, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    git(root, "update-index", "--refresh")
    index = (root / ".git" / "index").stat()
    file.write_text("print(9)\n")
    os.utime(file, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    os.utime(root / ".git" / "index", ns=(index.st_atime_ns, stat.st_mtime_ns))
    assert content(root, snapshot(root, "x"), "train.py") == b"print(9)\n"


def test_before_the_first_commit(empty: Path) -> None:
    assert worktree.head(empty) == ("main", None)
    nothing = untouched_snapshot(empty)
    assert listing(empty, nothing) == {}
    (empty / "a").write_text("1")
    made = untouched_snapshot(empty)
    assert list(listing(empty, made)) == ["a"]
    assert git(empty, "log", "-1", "--format=%P", made) == b"\n"
    assert worktree.changes(empty) == Changes(head=None, branch="main", untracked=("a",))


def test_a_detached_head(root: Path) -> None:
    git(root, "checkout", "-q", "--detach")
    branch, head = worktree.head(root)
    assert branch is None
    assert worktree.changes(root) == Changes(head=head, branch=None)
    (root / "b").write_text("1")
    made = untouched_snapshot(root)
    assert git(root, "rev-parse", f"{made}^").decode().strip() == head


def test_a_merge_under_way(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "other")
    (root / "train.py").write_text("other\n")
    commit(root, "Other")
    git(root, "checkout", "-q", "main")
    (root / "train.py").write_text("main\n")
    commit(root, "Main")
    with pytest.raises(OutsideError):
        git(root, *USER, "merge", "other")
    assert worktree.changes(root).unmerged == ("train.py",)
    before = state(root)
    with pytest.raises(UserError, match=r"train\.py") as caught:
        snapshot(root, "x")
    assert caught.value.code == "merge-under-way"
    assert state(root) == before


@pytest.fixture
def library(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "library"], check=True)
    (tmp_path / "library" / "lib.py").write_text("x = 1\n")
    return commit(tmp_path / "library", "Library")


def test_a_submodule_stays_a_link_to_its_commit(root: Path, library: Path) -> None:
    git(root, *USER, "submodule", "--quiet", "add", str(library), "lib")
    commit(root, "With library")
    (root / "new").write_text("1")
    pinned = listing(root, untouched_snapshot(root))["lib"]
    assert pinned == listing(root, "HEAD")["lib"]
    assert pinned.mode == SUBMODULE
    (root / "new").unlink()
    (root / "lib" / "lib.py").write_text("x = 2\n")
    assert untouched_snapshot(root) == worktree.head(root)[1]
    commit(root / "lib", "Moved on")
    moved = listing(root, untouched_snapshot(root))["lib"].id
    assert moved == worktree.head(root / "lib")[1] != pinned.id


@pytest.mark.parametrize("has_commit", [True, False])
def test_a_repository_within_that_is_no_submodule(root: Path, has_commit: bool) -> None:
    subprocess.run(["git", "init", "-q", root / "vendor" / "inner"], check=True)
    (root / "vendor" / "inner" / "x").write_text("1")
    if has_commit:
        commit(root / "vendor" / "inner", "Inner")
    before = state(root)
    with pytest.raises(UserError, match="vendor/inner") as caught:
        snapshot(root, "x")
    assert caught.value.code == "embedded-repository"
    assert state(root) == before
    (root / ".gitignore").write_text("vendor/\n")
    assert "vendor/inner/x" not in listing(root, untouched_snapshot(root))


@pytest.mark.parametrize("is_cone", [True, False])
def test_a_sparse_checkout_keeps_what_is_not_here(root: Path, is_cone: bool) -> None:
    git(root, "sparse-checkout", "set", *([] if is_cone else ["--no-cone"]), "src" if is_cone else "/*.py")
    assert not (root / "data").exists()
    (root / "train.py").write_text("print(5)\n")
    (root / "data").mkdir()
    (root / "data" / "new.csv").write_text("b\n")
    made = untouched_snapshot(root)
    assert {"data/a.csv", "data/new.csv", "train.py"} <= set(listing(root, made))
    assert content(root, made, "train.py") == b"print(5)\n"


def test_what_is_staged_and_not_checked_out_stays_in_the_snapshot(root: Path) -> None:
    (root / "data/a.csv").write_text("newer\n")
    commit(root, "Newer")
    git(root, "sparse-checkout", "set", "src")
    git(root, "reset", "--quiet", "--soft", "HEAD~1")
    (root / "train.py").write_text("print(5)\n")
    made = untouched_snapshot(root)
    assert content(root, made, "data/a.csv") == b"newer\n"
    assert content(root, made, "train.py") == b"print(5)\n"


def test_a_name_that_git_takes_from_nobody_is_told(root: Path) -> None:
    (root / "git~1").write_text("1")
    before = state(root)
    with pytest.raises(UserError, match=r"git~1.*missing from the snapshot") as caught:
        snapshot(root, "x")
    assert caught.value.code == "file-name"
    assert state(root) == before


def test_what_changed_since_the_look_does_no_harm(root: Path) -> None:
    (root / "gone").write_text("1")
    (root / "train.py").write_text("print(5)\n")
    found = worktree.changes(root)
    (root / "gone").unlink()
    (root / "train.py").unlink()
    made = snapshot(root, "x", found=found)
    assert set(listing(root, made)) == {".gitignore", "data/a.csv"}


def test_a_linked_work_tree_has_its_own_index(root: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(root, "worktree", "add", "-q", str(linked), "-b", "side")
    (linked / "train.py").write_text("print(7)\n")
    git(linked, "add", "train.py")
    made = untouched_snapshot(linked)
    assert content(root, made, "train.py") == b"print(7)\n"
    assert untouched_snapshot(root) == worktree.head(root)[1]
    assert worktree.find_root(linked / "data") == linked


def test_a_split_index_is_read_whole(root: Path) -> None:
    git(root, "update-index", "--split-index")
    (root / "b").write_text("1")
    assert set(listing(root, untouched_snapshot(root))) == {".gitignore", "b", "data/a.csv", "train.py"}


def test_hooks_and_signing_of_the_member_do_not_run(root: Path, tmp_path: Path) -> None:
    for name in ("pre-commit", "commit-msg", "post-index-change", "post-commit"):
        hook = root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\nexit 1\n")
        hook.chmod(0o755)
    git(root, "config", "commit.gpgSign", "true")
    (root / "b").write_text("1")
    snapshot(root, "x")
    assert not (tmp_path / "hooked").exists()


def author(root: Path, commit: str) -> str:
    return git(root, "log", "-1", "--format=%an <%ae>", commit).decode().strip()


def test_the_author_is_who_git_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "b").write_text("1")
    git(root, "config", "user.useConfigOnly", "true")
    assert "@" in author(root, untouched_snapshot(root))
    git(root, "config", "user.name", "Ana é")
    git(root, "config", "user.email", "ana@example.org")
    assert author(root, untouched_snapshot(root)) == "Ana é <ana@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bo")
    assert author(root, untouched_snapshot(root)) == "Bo <ana@example.org>"


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_nobody_may_read(root: Path, is_folder: bool) -> None:
    """An unreadable folder must not pass for a deleted one."""
    (root / "data" / "secret.txt").write_text("x")
    (root / "data" if is_folder else root / "data" / "secret.txt").chmod(0)
    words = as_ordinary_user(root, lambda: snapshot(root, "x"))
    assert words.startswith("file-unreadable ")
    assert "data/" in words


def as_ordinary_user(root: Path, call: Callable[[], object]) -> str:
    """Return the code and message of the error `call` ends in, in a child that is not root."""
    if os.getuid() == 0:
        for folder, _, names in os.walk(root):
            for path in [Path(folder), *(Path(folder, name) for name in names)]:
                os.chown(path, 65534, 65534)
        for parent in root.parents:
            if not parent.stat().st_mode & 0o005:
                parent.chmod(0o755)
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            call()
        except LockgateError as error:
            os.write(send, f"{error.code} {error.message}".encode())
        finally:
            os._exit(0)
    os.close(send)
    os.waitpid(child, 0)
    with os.fdopen(receive) as answer:
        return answer.read()


def test_no_work_tree(tmp_path: Path, root: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    cases = {
        tmp_path / "bare.git": "bare-repository",
        root / ".git": "bare-repository",
        tmp_path: "not-a-repository",
        tmp_path / "not" / "there": "not-a-repository",
    }
    for path, code in cases.items():
        with pytest.raises(UserError) as caught:
            worktree.find_root(path)
        assert caught.value.code == code
    assert worktree.find_root(root / "data" / "a.csv") == root


def test_remotes(root: Path) -> None:
    assert worktree.remotes(root) == {}
    worktree.add_remote(root, "hub", "/srv/hub of all/flights.git")
    worktree.add_remote(root, "hub", "/srv/hub of all/flights.git")
    git(root, "config", "remote.hub.pushurl", "elsewhere")
    assert worktree.remotes(root) == {"hub": "/srv/hub of all/flights.git"}
    with pytest.raises(UserError) as caught:
        worktree.add_remote(root, "hub", "other")
    assert caught.value.code == "remote-exists"
    with pytest.raises(UserError) as caught:
        worktree.add_remote(root, "no name..", "other")
    assert caught.value.code == "remote-invalid"


def test_three_thousand_files_are_quick(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3000):
        folder = root / f"d{number % 50}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.txt").write_text(str(number))
    commit(root, "Many")
    git(root, "config", "user.name", "Ana")
    git(root, "config", "user.email", "ana@example.org")
    calls: list[object] = []
    start = subprocess.Popen.__init__

    def counted(*given: Any, **named: Any) -> None:
        calls.append(given)
        start(*given, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", counted)
    began = time.perf_counter()
    snapshot(root, "x")
    assert time.perf_counter() - began < 2
    assert len(calls) == 1
    (root / "train.py").write_text("changed\n")
    snapshot(root, "x")
    assert len(calls) == 1 + 5


def test_status_of_renames_and_removals_from_the_index(root: Path) -> None:
    git(root, "mv", "train.py", "fit.py")
    git(root, "rm", "-q", "--cached", "data/a.csv")
    found = worktree.changes(root)
    assert found.changed == ("fit.py",)
    assert found.deleted == ("train.py",)
    assert found.untracked == ("data/a.csv",)
    assert set(listing(root, snapshot(root, "x"))) == {".gitignore", "data/a.csv", "fit.py"}


def test_no_status_is_a_clean_unborn_tree() -> None:
    assert parse_status(b"") == Changes(head=None, branch=None)
    assert Changes(head=None, branch=None).is_clean


class TestCheckoutPaths:
    @pytest.fixture
    def results(self, root: Path) -> str:
        """A commit with results that the work tree does not have."""
        (root / "build").mkdir()
        (root / "build" / "run.sh").write_text("#!/bin/sh\n")
        (root / "build" / "run.sh").chmod(0o755)
        (root / "build" / "big é\n.bin").write_bytes(bytes(range(256)) * 12_000)
        (root / "build" / "latest").symlink_to("run.sh")
        (root / "build" / "away").symlink_to("../../outside")
        (root / "model").write_text("m")
        made = snapshot(root, "Results")
        git(root, "clean", "-qfd")
        return made

    def test_files_and_folders_are_put(self, root: Path, results: str) -> None:
        before = state(root)[0], state(root)[2]
        wanted = ["build/run.sh", "build/big é\n.bin", "build/latest", "model", "data/"]
        written = checkout_paths(root, results, wanted)
        assert written == ["build/big é\n.bin", "build/latest", "build/run.sh", "data/a.csv", "model"]
        assert (root / "build" / "big é\n.bin").read_bytes() == bytes(range(256)) * 12_000
        assert os.access(root / "build" / "run.sh", os.X_OK)
        assert (root / "model").stat().st_mode & 0o111 == 0
        assert (root / "build" / "latest").readlink() == Path("run.sh")
        assert (state(root)[0], state(root)[2]) == before
        assert sorted(path.name for path in (root / "build").iterdir()) == ["big é\n.bin", "latest", "run.sh"]

    def test_a_file_there_is_replaced_and_never_through_a_link(self, root: Path, results: str) -> None:
        (root.parent / "mine").write_text("mine")
        (root / "model").symlink_to(root.parent / "mine")
        checkout_paths(root, results, ["model"])
        assert (root.parent / "mine").read_text() == "mine"
        assert not (root / "model").is_symlink()
        assert (root / "model").read_text() == "m"

    @pytest.mark.parametrize("target", ["..", ".git", "../../home"])
    def test_a_folder_that_is_a_link_out_of_the_tree(self, root: Path, results: str, target: str) -> None:
        (root / "build").symlink_to(target)
        with pytest.raises(UserError) as caught:
            checkout_paths(root, results, ["build/run.sh"])
        assert caught.value.code == "path-outside"
        assert not list(root.parent.glob("**/run.sh"))

    def test_a_folder_that_is_a_link_within_the_tree(self, root: Path, results: str) -> None:
        (root / "real").mkdir()
        (root / "build").symlink_to("real")
        checkout_paths(root, results, ["build/run.sh"])
        assert (root / "real" / "run.sh").exists()

    def test_a_link_that_leads_out_is_not_made(self, root: Path, results: str) -> None:
        with pytest.raises(UserError) as caught:
            checkout_paths(root, results, ["build/away"])
        assert caught.value.code == "path-outside"
        assert list((root / "build").iterdir()) == []

    def test_what_stands_in_the_way_stays(self, root: Path, results: str) -> None:
        (root / "build").write_text("a file")
        (root / "model" / "inside").mkdir(parents=True)
        for path in ("build/run.sh", "model"):
            with pytest.raises(UserError) as caught:
                checkout_paths(root, results, [path])
            assert caught.value.code == "path-blocked"
        (root / "model" / "inside").rmdir()
        checkout_paths(root, results, ["model"])
        assert (root / "model").read_text() == "m"
        assert (root / "build").read_text() == "a file"

    def test_no_such_path_or_commit(self, root: Path, results: str) -> None:
        with pytest.raises(UserError) as caught:
            checkout_paths(root, results, ["model", "nothing"])
        assert caught.value.code == "path-missing"
        assert not (root / "model").exists()
        for wrong in ("0" * 40, "--help", "no-branch"):
            with pytest.raises(LockgateError):
                checkout_paths(root, wrong, ["model"])
        assert checkout_paths(root, results, []) == []

    def test_a_damaged_blob_leaves_nothing_half(self, root: Path, results: str) -> None:
        oid = listing(root, results)["model"].id
        loose = root / ".git" / "objects" / oid[:2] / oid[2:]
        loose.unlink()
        (root / "model").write_text("old")
        with pytest.raises(OutsideError) as caught:
            checkout_paths(root, results, ["model"])
        assert caught.value.code == "git-failed"
        assert (root / "model").read_text() == "old"
        assert not list(root.glob(".lockgate-*"))
