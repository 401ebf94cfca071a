"""What a job made, taken into a real repository and a real store."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from lockgate.data.store import Store
from lockgate.errors import UserError
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, parse_ls_tree
from lockgate.git.objects import EMPTY_TREE, Repository
from lockgate.git.program import git
from lockgate.project.pipeline import Stage
from lockgate.runs.collect import Collector, kind_of, size_of

LIMIT = 100


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "r.git"], check=True)
    return Repository(tmp_path / "r.git")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def collector(repository: Repository, store: Store) -> Collector:
    return Collector(repository, store, LIMIT)


def stage(*makes: str) -> Stage:
    return Stage("it", "it", command="x", makes=makes)


def stored(store: Store) -> set[str]:
    return {p.parent.name + p.name for p in store.folder.rglob("*") if p.is_file()}


def test_a_small_file_goes_into_git(
    collector: Collector, workspace: Path, repository: Repository, store: Store
) -> None:
    (workspace / "a.csv").write_bytes(b"1,2\r\n\xff\n")
    (made,) = collector.collect(stage("a.csv"), workspace)
    assert (made.path, made.kind, made.size_bytes, made.mode) == ("a.csv", "table", 7, FILE)
    assert made.md5 == md5(b"1,2\r\n\xff\n")
    assert repository.read_blob(made.git or "") == b"1,2\r\n\xff\n"
    assert made.file_count == 1
    assert stored(store) == set()


def test_a_program_stays_one(collector: Collector, workspace: Path) -> None:
    (workspace / "run.sh").write_bytes(b"#!/bin/sh\n")
    (workspace / "run.sh").chmod(0o755)
    (made,) = collector.collect(stage("run.sh"), workspace)
    assert (made.mode, made.kind) == (EXECUTABLE, "file")


@pytest.mark.parametrize(("size", "is_in_git"), [(0, True), (LIMIT, True), (LIMIT + 1, False)])
def test_large_files_go_to_the_store(
    collector: Collector, workspace: Path, store: Store, size: int, is_in_git: bool
) -> None:
    (workspace / "m.pkl").write_bytes(b"x" * size)
    (made,) = collector.collect(stage("m.pkl"), workspace)
    assert (made.git is not None) == is_in_git
    assert (made.size_bytes, made.md5, made.kind) == (size, md5(b"x" * size), "model")
    assert stored(store) == (set() if is_in_git else {made.md5})
    assert is_in_git or store.read(made.md5) == b"x" * size


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def listing_by_hand(files: dict[str, bytes]) -> bytes:
    """A `.dir` object as DVC 3 writes it (`dvc_data/hashfile/tree.py`, `Tree.as_bytes`)."""
    return json.dumps(
        [{"md5": md5(content), "relpath": name} for name, content in sorted(files.items())]
    ).encode()


def test_a_small_folder_is_a_tree(
    collector: Collector, workspace: Path, repository: Repository, store: Store
) -> None:
    files = {"b.txt": b"b", "sub/a.txt": b"a", "sub/deep/ö": b"c", "a b": b""}
    fill(workspace / "out", files)
    (workspace / "out/sub/a.txt").chmod(0o700)
    (made,) = collector.collect(stage("out"), workspace)
    tree = parse_ls_tree(git(repository.path, "ls-tree", "-r", "-z", "--full-tree", made.git or ""))
    assert {path: repository.read_blob(entry.id) for path, entry in tree.items()} == files
    assert tree["sub/a.txt"].mode == EXECUTABLE
    assert (made.mode, made.size_bytes, made.file_count) == (FOLDER, 3, 4)
    assert made.md5 == md5(listing_by_hand(files)) + ".dir"
    assert stored(store) == set()


def test_a_large_folder_lies_in_the_store_as_dvc_would_have_it(
    collector: Collector, workspace: Path, store: Store
) -> None:
    files = {"z.bin": b"z" * LIMIT, "sub/a.bin": b"a", "sub/same.bin": b"a"}
    fill(workspace / "out", files)
    (made,) = collector.collect(stage("out"), workspace)
    listing = listing_by_hand(files)
    assert (made.git, made.md5, made.file_count) == (None, md5(listing) + ".dir", 3)
    assert made.size_bytes == LIMIT + 2
    assert store.read(made.md5) == listing
    assert stored(store) == {made.md5, md5(b"z" * LIMIT), md5(b"a")}
    assert store.path(made.md5) == store.folder / "files/md5" / made.md5[:2] / made.md5[2:]


def test_an_empty_folder_is_an_empty_tree(collector: Collector, workspace: Path) -> None:
    (workspace / "out/inside").mkdir(parents=True)
    (made,) = collector.collect(stage("out"), workspace)
    assert (made.git, made.size_bytes, made.file_count) == (EMPTY_TREE, 0, 0)
    assert made.md5 == md5(b"[]") + ".dir"


def test_links_within_the_workspace_are_what_they_point_to(
    collector: Collector, workspace: Path, repository: Repository
) -> None:
    fill(workspace, {"real/a": b"a", "real/sub/b": b"b"})
    (workspace / "file").symlink_to("real/a")
    (workspace / "folder").symlink_to("real")
    (workspace / "out").mkdir()
    (workspace / "out/file").symlink_to("../real/a")
    (workspace / "out/folder").symlink_to("../real/sub")
    file, folder, out = collector.collect(stage("file", "folder", "out"), workspace)
    assert (file.md5, file.mode) == (md5(b"a"), FILE)
    assert folder.md5 == md5(listing_by_hand({"a": b"a", "sub/b": b"b"})) + ".dir"
    assert out.md5 == md5(listing_by_hand({"file": b"a", "folder/b": b"b"})) + ".dir"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "../workspace-not", "gone"])
@pytest.mark.parametrize("place", ["out", "folder/out", "folder/deep/out"])
def test_links_that_lead_outside_are_refused(
    collector: Collector, workspace: Path, target: str, place: str
) -> None:
    (workspace.parent / "secret").mkdir()
    (workspace.parent / "workspace-not").mkdir()
    fill(workspace, {"folder/deep/x": b"x"})
    (workspace / place).symlink_to("../" * place.count("/") + target if target[0] == "." else target)
    with pytest.raises(
        UserError, match=r" and leads to (nothing|/.*, which is not in the workspace)\n"
    ) as caught:
        collector.collect(stage(place.split("/")[0]), workspace)
    assert caught.value.code == "make-outside"
    assert caught.value.message.startswith(f"{place} is a link to ")


def test_a_make_under_a_linked_folder_is_no_way_out(collector: Collector, workspace: Path) -> None:
    (workspace.parent / "secret").mkdir()
    (workspace.parent / "secret/key").write_text("secret")
    (workspace / "build").symlink_to("../secret")
    with pytest.raises(UserError) as caught:
        collector.collect(stage("build/key"), workspace)
    assert caught.value.code == "make-outside"
    assert caught.value.message.startswith("build/key lies behind a link and leads to ")


@pytest.mark.parametrize(
    ("place", "target"), [("out/self", "."), ("out/a/up", "../../out"), ("out/me", "me")]
)
def test_links_in_a_ring_are_refused(collector: Collector, workspace: Path, place: str, target: str) -> None:
    (workspace / "out/a").mkdir(parents=True)
    (workspace / place).symlink_to(target)
    with pytest.raises(UserError) as caught:
        collector.collect(stage("out"), workspace)
    assert caught.value.code == "make-outside"
    assert size_of(workspace, ["out"]) == 0


def test_pipes_and_sockets_are_refused(
    collector: Collector, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "out").mkdir()
    os.mkfifo(workspace / "out/pipe")
    monkeypatch.chdir(workspace)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for make, place in (("out", "out/pipe"), ("out/pipe", "out/pipe"), ("socket", "socket")):
            with pytest.raises(UserError, match=f"^{place} is a pipe, socket or device") as caught:
                collector.collect(stage(make), workspace)
            assert caught.value.code == "make-special"


@pytest.mark.parametrize("name", [".git/config", "sub/.GIT", "a/.git"])
def test_what_git_would_not_check_out_is_refused(collector: Collector, workspace: Path, name: str) -> None:
    fill(workspace / "out", {name: b"x"})
    with pytest.raises(UserError) as caught:
        collector.collect(stage("out"), workspace)
    assert caught.value.code == "path-unsafe"


def test_names_that_are_no_text(collector: Collector, workspace: Path, store: Store) -> None:
    (workspace / "out").mkdir()
    (workspace / os.fsdecode(b"out/caf\xe9")).write_bytes(b"x" * 2 * LIMIT)
    with pytest.raises(UserError, match="caf") as caught:
        collector.collect(stage("out"), workspace)
    assert caught.value.code == "path-unsafe"
    assert "\\xe9" in caught.value.message
    assert stored(store) == set()


def test_what_was_not_made_is_named(collector: Collector, workspace: Path) -> None:
    fill(workspace, {"b": b"x"})
    with pytest.raises(UserError) as caught:
        collector.collect(stage("a", "b", "c/d"), workspace)
    assert caught.value.code == "make-missing"
    assert caught.value.message == "it ended well but did not make a, c/d"
    assert "the makes of it" in caught.value.hint


def test_of_a_failed_job_what_can_be_taken_is(collector: Collector, workspace: Path) -> None:
    fill(workspace, {"b": b"x"})
    (workspace / "c").symlink_to("/etc/passwd")
    os.mkfifo(workspace / "d")
    assert [made.path for made in collector.salvage(stage("a", "b", "c", "d"), workspace)] == ["b"]


def test_how_much_there_is_to_take(workspace: Path) -> None:
    fill(workspace, {"a": b"12", "out/x": b"345", "out/sub/y": b"6"})
    assert size_of(workspace, ["a", "out", "gone"]) == 6


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("m.json", "metrics"),
        ("plots/a.txt", "figure"),
        ("x.PNG", "figure"),
        ("x.parquet", "table"),
        ("x.ipynb", "notebook"),
        ("x.html", "file"),
        ("x.onnx", "model"),
        ("noending", "file"),
        (".csv", "file"),
    ],
)
def test_kinds(path: str, kind: str) -> None:
    declared = Stage("it", "it", command="x", metrics=("m.json",), figures=("plots/a.txt",))
    assert kind_of(declared, path) == kind
    assert kind_of(Stage("it", "it", notebook="x.ipynb"), "x.html") == "notebook"
