"""Data goes into the store and comes back; nothing is lost, nothing overwritten unasked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from data_repository import commit, git
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.data import linking
from lockgate.data.add import add
from lockgate.data.clone import Clone, open_clone
from lockgate.data.diff import diff
from lockgate.data.gc import collect
from lockgate.data.get import get
from lockgate.data.listing import listing_of
from lockgate.data.pointed import find_outputs
from lockgate.data.status import Standing, standing
from lockgate.data.verify import verify
from lockgate.data.versions import outputs_at
from lockgate.errors import LockgateError, OutsideError, UserError

Files = Callable[[Mapping[str, str | bytes]], None]


def bring(clone: Clone, is_forced: bool = False) -> None:
    get(clone, find_outputs(clone), is_forced=is_forced)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def stands(clone: Clone) -> dict[str, str]:
    return {each.output.path: each.word for each in standing(clone)}


def point_to(root: Path, clone: Clone, listing: bytes) -> None:
    """Leave the listing in the store, and a pointer to it as that of `d`."""
    md5 = hashlib.md5(listing).hexdigest() + ".dir"
    linking.keep_bytes(clone, listing, md5)
    (root / "d.dvc").write_text(f"outs:\n- md5: {md5}\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: d\n")


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(LockgateError) as caught:
        call()
    return caught.value.code


def test_a_day_with_data(root: Path, clone: Clone, files: Files) -> None:
    files({"data/raw/a": "1", "data/raw/sub/b": "2", "data/raw/empty": "", "one.csv": "x", "code.py": "pass"})
    first = commit(root, "all in git")
    added = add(clone, ["data/raw", "one.csv"])
    assert [(each.path, each.file_count, each.size_bytes) for each in added] == [
        ("data/raw", 3, 2),
        ("one.csv", 1, 1),
    ]
    assert git(root, "ls-files") == "code.py\n"
    assert (root / "data/.gitignore").read_text() == "/raw\n"
    one = commit(root, "in the store")
    assert git(root, "status", "--porcelain") == ""
    assert set(stands(clone).values()) == {"unchanged"}

    before = contents(root / "data/raw")
    files({"data/raw/a": "11", "data/raw/new": "3"})
    (root / "data/raw/sub/b").unlink()
    (found,) = [each for each in standing(clone) if each.word != "unchanged"]
    assert (found.changed, found.added, found.removed) == (["a"], ["new"], ["sub/b"])
    assert add(clone, ["data/raw"])[0].read_count == 2
    two = commit(root, "two")
    (difference,) = diff(clone, one, two)
    assert [(each.path, each.what, each.size_bytes) for each in difference.files] == [
        ("a", "changed", 2),
        ("new", "added", 1),
        ("sub/b", "removed", 1),
    ]
    after = contents(root / "data/raw")

    git(root, "checkout", "-q", one)
    bring(clone)
    assert contents(root / "data/raw") == before
    assert set(stands(clone).values()) == {"unchanged"}
    git(root, "checkout", "-q", two)
    bring(clone)
    assert contents(root / "data/raw") == after
    assert not verify(clone).faults
    assert collect(clone, grace_s=0).objects == 0
    get(clone, [each for each in outputs_at(clone, one) if each.path == "data/raw"])
    assert contents(root / "data/raw") == before
    assert first != one


def test_files_are_linked_to_the_store_and_read_only(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1", "d/run.sh": "#!/bin/sh\n"})
    (root / "d/run.sh").chmod(0o755)
    add(clone, ["d"])
    here, there = (root / "d/a").stat(), Path(clone.object_path("c4ca4238a0b923820dcc509a6f75849b")).stat()
    assert here.st_ino == there.st_ino or linking._can_reflink(clone)
    assert stat.S_IMODE(there.st_mode) == 0o444
    assert os.access(root / "d/run.sh", os.X_OK)
    assert (root / "d/run.sh").stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["reflink", "hardlink", "symlink", "copy"])
def test_the_kind_of_link_is_dvcs_setting(root: Path, files: Files, kind: str) -> None:
    files({".dvc/config": f"[cache]\n    type = {kind}\n", "d/a": "1"})
    clone = open_clone(str(root))
    add(clone, ["d"])
    (root / "d/a").unlink()
    bring(clone)
    file = root / "d/a"
    assert file.read_text() == "1"
    assert file.is_symlink() == (kind == "symlink")
    assert (file.stat().st_nlink == 2) == (kind == "hardlink")
    assert stands(clone) == {"d": "unchanged"}
    add(clone, ["d"])
    assert not verify(clone).faults


def test_another_store_is_used_and_not_collected(root: Path, files: Files, tmp_path: Path) -> None:
    files({".dvc/config": "[cache]\n    dir = ../../shared\n", "a.bin": "1"})
    clone = open_clone(str(root))
    add(clone, ["a.bin"])
    assert (tmp_path / "shared/files/md5/c4/ca4238a0b923820dcc509a6f75849b").exists()
    assert code_of(lambda: collect(clone)) == "store-shared"


def test_an_edited_file_is_not_overwritten(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1", "d/b": "1"})
    add(clone, ["d"])
    files({"d/a": "mine", "d/c": "mine too"})
    with pytest.raises(UserError, match="d/a would be overwritten") as caught:
        bring(clone)
    assert caught.value.code == "data-edited"
    assert contents(root / "d") == {"a": b"mine", "b": b"1", "c": b"mine too"}
    bring(clone, is_forced=True)
    assert contents(root / "d") == {"a": b"1", "b": b"1", "c": b"mine too"}


def test_what_is_missing_is_named_and_nothing_begun(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1", "d/b": "2"})
    add(clone, ["d"])
    Path(clone.object_path("c81e728d9d4c2f636f067f89cc14862c")).unlink()
    (root / "d/a").unlink()
    (root / "d/b").unlink()
    with pytest.raises(OutsideError, match="d/b are not in") as caught:
        bring(clone)
    assert caught.value.code == "data-missing"
    assert contents(root / "d") == {}


def test_what_is_missing_is_asked_for(root: Path, clone: Clone, files: Files, tmp_path: Path) -> None:
    files({"d/a": "1", "d/b": "2"})
    add(clone, ["d"])
    elsewhere = tmp_path / "elsewhere"
    Path(clone.store).rename(elsewhere)
    (root / "d/a").unlink()
    (root / "d/b").unlink()
    asked: list[str] = []

    class Folder:
        def bring(self, clone: Clone, md5s: list[str]) -> None:
            asked.extend(md5s)
            for md5 in md5s:
                target = Path(clone.object_path(md5))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((elsewhere / target.relative_to(clone.store)).read_bytes())

    get(clone, find_outputs(clone), [Folder()])  # type: ignore[list-item]
    assert contents(root / "d") == {"a": b"1", "b": b"2"}
    assert len(asked) == 3


def test_a_store_that_was_emptied_is_filled_again(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1", "d/b": "2"})
    add(clone, ["d"])
    for each in Path(clone.store).rglob("*"):
        if each.is_file():
            each.unlink()
    add(clone, ["d"])
    assert not verify(clone).faults


def test_a_change_in_the_same_tick_is_seen(root: Path, files: Files) -> None:
    """As git's racy-git test: same size, same inode, mostly the same time, other bytes."""
    files({".dvc/config": "[cache]\n    type = copy\n"})
    clone = open_clone(str(root))
    for round_ in range(20):
        files({"d/a": str(round_ % 10)})
        add(clone, ["d"])
        (root / "d/a").chmod(0o644)
        (root / "d/a").write_text("x")
        assert stands(clone) == {"d": "changed"}


def test_a_file_that_changes_while_it_is_read_is_named(
    root: Path, clone: Clone, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files({"d/a": b"0" * 3_000_000})
    growing = threading.Event()

    def append() -> None:
        with (root / "d/a").open("ab") as file:
            while not growing.is_set():
                file.write(b"1")
                file.flush()

    writer = threading.Thread(target=append)
    writer.start()
    try:
        with pytest.raises(UserError, match="d/a changed while it was read"):
            for _ in range(50):
                add(clone, ["d"])
    finally:
        growing.set()
        writer.join()
    growing.clear()
    add(clone, ["d"])
    assert not verify(clone).faults


@pytest.fixture
def odd(root: Path) -> Iterator[dict[str, Callable[[], object]]]:
    folder = root / "d"
    folder.mkdir()
    (folder / "plain").write_text("x")
    with socket.socket(socket.AF_UNIX) as opened:
        yield {
            "data-link": lambda: (folder / "loop").symlink_to(folder),
            "data-special": lambda: os.mkfifo(folder / "pipe"),
            "data-name": lambda: (folder / os.fsdecode(b"caf\xe9")).write_text("x"),
        }
        opened.close()


@pytest.mark.parametrize("code", ["data-link", "data-special", "data-name"])
def test_odd_things_are_named(
    root: Path, clone: Clone, odd: dict[str, Callable[[], object]], code: str
) -> None:
    odd[code]()
    assert code_of(lambda: add(clone, ["d"])) == code
    assert not (root / "d.dvc").exists()
    assert not (root / ".gitignore").exists()


def test_a_broken_link_is_named(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1"})
    (root / "d/b").symlink_to("nothing")
    assert code_of(lambda: add(clone, ["d"])) == "data-link"


def test_a_link_to_a_file_counts_as_the_file(root: Path, clone: Clone, files: Files) -> None:
    files({"elsewhere": "1", "d/a": "2"})
    (root / "d/b").symlink_to(root / "elsewhere")
    add(clone, ["d"])
    assert (root / "elsewhere").stat().st_nlink == 1
    assert os.access(root / "elsewhere", os.W_OK)
    (root / "d/b").unlink()
    bring(clone)
    assert (root / "d/b").read_text() == "1"


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        names.filter(lambda n: n not in (".", "..", ".git", ".hg", ".dvc")), st.binary(max_size=9)
    )
)
def test_any_names_come_back(root: Path, clone: Clone, content: dict[str, bytes]) -> None:
    folder = root / "d"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    add(clone, ["d"])
    for name in content:
        (folder / name).unlink()
    bring(clone)
    assert contents(folder) == content
    assert stands(clone) == {"d": "unchanged"}


@pytest.mark.parametrize("path", ["", "..", "/etc", ".git/config", ".dvc/config", "a\nb", "gone", "x.dvc"])
def test_what_cannot_be_data(root: Path, clone: Clone, files: Files, path: str) -> None:
    files({"x.dvc": "1"})
    assert code_of(lambda: add(clone, [path])) in ("data-path", "path-missing")


def test_data_in_data(root: Path, clone: Clone, files: Files) -> None:
    files({"d/sub/a": "1", "e/x": "1", "e/y/z": "1"})
    add(clone, ["d", "e/x"])
    assert code_of(lambda: add(clone, ["e"])) == "data-overlaps"
    files({"d/sub/a": "2"})
    assert add(clone, ["d/sub/a"])[0].path == "d"


def test_a_listing_that_leads_out_is_refused(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1"})
    add(clone, ["d"])
    point_to(root, clone, listing_of({"../../evil": md5_of("1")}))
    assert code_of(lambda: bring(clone)) == "path-unsafe"
    assert not (root.parent / "evil").exists()


@pytest.mark.parametrize("is_last", [True, False])
def test_a_listing_with_a_path_twice_means_what_json_makes_of_it(
    root: Path, clone: Clone, files: Files, is_last: bool
) -> None:
    files({"d/a": "1", "d/b": "2", "x": "3"})
    add(clone, ["d", "x"])
    (root / "x.dvc").unlink()
    rows = [{"md5": md5_of("1"), "relpath": "a"}, {"md5": md5_of("3"), "relpath": "a"}]
    point_to(root, clone, json.dumps(rows if is_last else rows[::-1]).encode())
    bring(clone)
    assert contents(root / "d") == {"a": b"3" if is_last else b"1"}


def test_of_many_versions_each_is_what_it_was(root: Path, clone: Clone, files: Files) -> None:
    """Whatever changes from one to the other: what the listings tell is what lies there."""
    versions = [
        {"d/a": "1", "d/b": "2", "d/s/c": "3"},
        {"d/a": "1", "d/b": "changed", "d/s/c": "3"},
        {"d/a": "1", "d/s/c": "3", "d/s/d/e": "new"},
        {"d/b": "2"},
        {"d/é \\ b": "1", "d/a": "2", "d/s": "a file where a folder was"},
        {"d/a": "1", "d/b": "2", "d/s/c": "3"},
    ]
    pointers = []
    for version in versions:
        shutil.rmtree(root / "d", ignore_errors=True)
        files(version)
        add(clone, ["d"])
        pointers.append((root / "d.dvc").read_text())
    for at in [*range(len(versions)), *reversed(range(len(versions))), 3, 0, 4, 2]:
        (root / "d.dvc").write_text(pointers[at])
        bring(clone)
        wanted = {path.removeprefix("d/"): text.encode() for path, text in versions[at].items()}
        assert contents(root / "d") == wanted
        assert stands(clone) == {"d": "unchanged"}
        bring(clone)
        assert contents(root / "d") == wanted


def test_dvcignore_leaves_files_out(root: Path, clone: Clone, files: Files) -> None:
    files({".dvcignore": "*.tmp\n/d/cache/\n!keep.tmp\n", "d/a": "1", "d/b.tmp": "2", "d/cache/c": "3"})
    files({"d/keep.tmp": "4", "d/sub/cache/c": "5"})
    assert add(clone, ["d"])[0].file_count == 3
    assert stands(clone) == {"d": "unchanged"}


def test_every_fault_of_the_store_is_named(root: Path, clone: Clone, files: Files) -> None:
    files({f"d/{n}": f"content {n}" for n in range(5)} | {"x.bin": "x"})
    add(clone, ["d", "x.bin"])
    objects = {each.name: each for each in Path(clone.store).rglob("*") if each.is_file()}
    by_file = {str(n): Path(clone.object_path(md5_of(f"content {n}"))) for n in range(5)}
    for each in by_file.values():
        content = each.read_bytes()
        each.unlink()
        each.write_bytes(content)
        each.chmod(0o444)
    by_file["0"].chmod(0o644)
    by_file["0"].write_bytes(b"Content 0")
    by_file["0"].chmod(0o444)
    by_file["1"].chmod(0o644)
    by_file["1"].write_bytes(b"con")
    by_file["1"].chmod(0o444)
    by_file["2"].unlink()
    by_file["3"].chmod(0o664)
    found = verify(clone)
    assert {(fault.what, fault.used_by) for fault in found.faults} == {
        ("damaged", ("d/0",)),
        ("damaged", ("d/1",)),
        ("missing", ("d/2",)),
        ("writable", ("d/3",)),
    }
    assert found.objects == len(objects) - 1
    assert by_file["0"].read_bytes() == b"Content 0"


def md5_of(text: str) -> str:
    from lockgate.data.digest import md5_of as digest

    return digest(text.encode())


def test_gc_keeps_what_anything_needs(root: Path, clone: Clone, files: Files) -> None:
    def version(content: str) -> str:
        files({"d/a": content})
        add(clone, ["d"])
        return md5_of(content)

    kept = {}
    kept["branch"] = version("on a branch")
    commit(root)
    git(root, "branch", "other")
    kept["lockgate"] = version("only of a run")
    run = commit(root)
    git(root, "update-ref", "refs/lockgate/runs/1", run)
    git(root, "reset", "-q", "--hard", "HEAD~1")
    kept["tag"] = version("tagged")
    commit(root)
    git(root, "tag", "v1")
    git(root, "reset", "-q", "--hard", "HEAD~1")
    kept["stash 1"] = version("stashed first")
    git(root, "stash", "-q")
    kept["stash 2"] = version("stashed second")
    git(root, "stash", "-q")
    kept["index"] = version("staged")
    git(root, "add", "-A")
    git(root, "worktree", "add", "-q", "--detach", str(root.parent / "linked"))
    linked = root.parent / "linked"
    (linked / "y.dvc").write_text(
        f"outs:\n- md5: {md5_of('of another tree')}\n  size: 1\n  hash: md5\n  path: y\n"
    )
    kept["linked"] = version("of another tree")
    lost = version("of nobody")
    kept["work tree"] = version("in the work tree")

    assert collect(clone, is_removed=True).young == 3
    told = collect(clone, grace_s=0)
    assert (told.objects, told.is_removed) == (3, False)
    assert clone.has(lost)
    assert collect(clone, is_removed=True, grace_s=0).objects == 3
    assert not clone.has(lost)
    assert {name for name, md5 in kept.items() if not clone.has(md5)} == set()


def test_the_state_may_be_lost_or_damaged(root: Path, clone: Clone, files: Files) -> None:
    files({"d/a": "1"})
    add(clone, ["d"])
    place = root / ".git/lockgate/data-state"
    whole = place.read_bytes()
    for damaged in (b"", b"x", whole[:-3], whole[:40] + b"\xff" + whole[41:]):
        place.write_bytes(damaged)
        assert stands(clone) == {"d": "unchanged"}
    place.unlink()
    assert stands(clone) == {"d": "unchanged"}
    assert isinstance(standing(clone)[0], Standing)
