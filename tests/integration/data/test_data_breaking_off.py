"""Killed, crowded, out of room: nothing is lost, nothing is half there, the second call goes on."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from data_repository import commit, git
from ordinary_user import as_user, job_folder

from lockgate.data.add import add
from lockgate.data.clone import Clone, open_clone
from lockgate.data.digest import md5_of
from lockgate.data.gc import collect
from lockgate.data.get import get
from lockgate.data.pointed import find_outputs
from lockgate.data.remotes.opening import open_remote
from lockgate.data.status import standing
from lockgate.data.store import Store
from lockgate.data.transfer import push
from lockgate.data.verify import verify
from lockgate.errors import OutsideError, UserError

COUNT = 300


def lockgate(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).parent / "lockgate"
    return subprocess.Popen([program, "data", *arguments], cwd=root, stdout=subprocess.DEVNULL)


def fill(root: Path, word: str) -> dict[str, bytes]:
    contents = {f"{n % 7}/{n}": f"{word} {n % 250}".encode() for n in range(COUNT)}
    for path, content in contents.items():
        file = root / "d" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)
    return contents


def contents_of(root: Path) -> dict[str, bytes]:
    folder = root / "d"
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def check_store(clone: Clone) -> None:
    check_objects(Path(clone.store))


def check_objects(folder: Path) -> None:
    """Every object that is there has its digest."""
    for file in folder.glob("files/md5/??/*"):
        if not file.name.startswith("."):
            assert md5_of(file.read_bytes()) == (file.parent.name + file.name).removesuffix(".dir")


def took(root: Path, *arguments: str) -> float:
    started = time.monotonic()
    assert lockgate(root, *arguments).wait() == 0
    return time.monotonic() - started


def killed(root: Path, within_s: float, *arguments: str) -> None:
    process = lockgate(root, *arguments)
    time.sleep(random.uniform(0, within_s))
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_add_is_killed_at_any_moment(root: Path, kind: str) -> None:
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(f"[cache]\n    type = {kind}\n")
    clone = open_clone(str(root))
    fill(root, "first")
    git(root, "add", "-A")
    whole_s = took(root, "add", "d")
    commit(root)
    for round_ in range(12):
        wanted = fill(root, f"round {round_}")
        killed(root, whole_s, "add", "d")
        assert contents_of(root) == wanted
        check_store(clone)
        # Whatever the pointer says, the store can give it
        for output in find_outputs(clone):
            assert clone.has(output.md5 or "")
    add(clone, ["d"])
    assert {each.word for each in standing(clone)} == {"unchanged"}
    assert not verify(clone).faults


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_get_is_killed_at_any_moment(root: Path, kind: str) -> None:
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(f"[cache]\n    type = {kind}\n")
    clone = open_clone(str(root))
    versions = []
    for word in ("first", "second"):
        wanted = fill(root, word)
        add(clone, ["d"])
        versions.append((commit(root), wanted))
    git(root, "checkout", "-q", versions[0][0])
    whole_s = took(root, "get")
    for round_ in range(12):
        commit_id, wanted = versions[(round_ + 1) % 2]
        _, before = versions[round_ % 2]
        git(root, "checkout", "-q", commit_id)
        killed(root, whole_s, "get")
        for path, content in contents_of(root).items():
            assert content in (wanted[path], before[path])
        get(clone, find_outputs(clone))
        assert contents_of(root) == wanted
    assert not verify(clone).faults


def test_gc_is_killed_at_any_moment(root: Path, clone: Clone) -> None:
    wanted = fill(root, "kept")
    add(clone, ["d"])
    commit(root)
    for round_ in range(6):
        fill(root, f"lost {round_}")
        add(clone, ["d"])
        killed(root, 1.0, "gc", "--remove", "--grace", "0")
        check_store(clone)
        git(root, "checkout", "-q", "--", "d.dvc")
        killed(root, 1.0, "gc", "--remove", "--grace", "0")
        get(clone, find_outputs(clone), is_forced=True)
        assert contents_of(root) == wanted
    assert collect(clone, is_removed=True, grace_s=0).kept == 251
    assert not verify(clone).faults


def test_put_is_killed_at_any_moment(root: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    (root / "lockgate.toml").write_text(f'[data]\nremote = "{remote}"\n[stages.a]\nrun = "true"\n')
    clone = open_clone(str(root))
    wanted = fill(root, "sent")
    add(clone, ["d"])
    commit(root)
    whole_s = took(root, "put")
    shutil.rmtree(remote)
    for _ in range(6):
        killed(root, whole_s, "put")
        # What has its name there is whole: a colleague who gets it now has the right bytes
        check_objects(remote)
    assert lockgate(root, "put").wait() == 0
    check_objects(remote)
    shutil.rmtree(clone.store)
    shutil.rmtree(root / "d")
    assert lockgate(root, "get").wait() == 0
    assert contents_of(root) == wanted


def test_what_a_killed_put_left_half_written_goes_once_it_is_old(root: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    (root / "lockgate.toml").write_text(f'[data]\nremote = "{remote}"\n[stages.a]\nrun = "true"\n')
    (root / "d").write_bytes(os.urandom(64 << 20))
    add(open_clone(str(root)), ["d"])
    commit(root)
    left: list[Path] = []
    for _ in range(20):
        process = lockgate(root, "put")
        while process.poll() is None and not list(remote.rglob(".new-*")):
            time.sleep(0.0005)
        process.kill()
        process.wait()
        left = list(remote.rglob(".new-*"))
        if left:
            break
        shutil.rmtree(remote, ignore_errors=True)
    (draft,) = left
    # It may be another call's that is at work
    assert lockgate(root, "put").wait() == 0 and draft.exists()
    os.utime(draft, (time.time() - 2 * 86_400,) * 2)
    assert lockgate(root, "put").wait() == 0 and not draft.exists()
    check_objects(remote)


def test_a_folder_remote_that_cannot_be_written_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, words in ((tmp_path / "file", "is no folder"), (Path("/proc/nowhere"), "No such file")):
        (root / "lockgate.toml").write_text(f'[data]\nremote = "{place}"\n[stages.a]\nrun = "true"\n')
        (root / "d").write_bytes(b"1")
        add(open_clone(str(root)), ["d"])
        done = subprocess.run(
            ["lockgate", "data", "put"], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3 and str(place) in done.stderr and words in done.stderr
        assert "[remote-failed]" in done.stderr


def test_a_file_that_may_grow_no_more_leaves_nothing_behind(root: Path) -> None:
    """The kernel refuses every byte after the first 100 kB of any file, whatever is written then."""
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[cache]\n    type = copy\n")
    clone = open_clone(str(root))
    (root / "d").mkdir()
    (root / "d/small").write_bytes(b"1")
    (root / "d/large").write_bytes(b"2" * 300_000)
    script = (
        "import resource, signal, sys; from lockgate.data.add import add; from lockgate.data.clone import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))\n"
        "add(open_clone('.'), ['d'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert "store-unwritable" in done.stderr or "the store cannot keep more" in done.stderr
    check_store(clone)
    assert not list(Path(clone.store).rglob(".new-*"))
    assert not (root / "d.dvc").exists()
    add(clone, ["d"])
    assert not verify(clone).faults


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("NOT TESTED: a full disk: mounting one needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(root: Path, small_disk: Path) -> None:
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(f"[cache]\n    dir = {small_disk}/store\n")
    clone = open_clone(str(root))
    (root / "d").mkdir()
    wanted = {f"{n}": os.urandom(100_000) for n in range(12)}
    for name, content in wanted.items():
        (root / "d" / name).write_bytes(content)
    with pytest.raises(OutsideError, match="No space left") as caught:
        add(clone, ["d"])
    assert (caught.value.code, caught.value.is_transient) == ("store-unwritable", True)
    assert contents_of(root) == wanted
    assert not (root / "d.dvc").exists()
    check_store(clone)
    assert not list(small_disk.rglob(".new-*"))
    for name in list(wanted)[6:]:
        (root / "d" / name).unlink()
    for file in small_disk.glob("store/files/md5/??/*"):
        file.unlink()
    add(clone, ["d"])
    assert not verify(clone).faults


def test_a_full_work_tree(small_disk: Path, tmp_path: Path) -> None:
    """The store is elsewhere and has everything; the work tree has no room for it."""
    project = small_disk / "project"
    project.mkdir()
    git(project, "init", "-q", "--template=")
    (project / ".dvc").mkdir()
    (project / ".dvc/config").write_text(f"[cache]\n    dir = {tmp_path}/store\n")
    clone = open_clone(str(project))
    (project / "d").mkdir()
    for n in range(4):
        (project / f"d/{n}").write_bytes(os.urandom(150_000))
    add(clone, ["d"])
    wanted, pointer = contents_of(project), (project / "d.dvc").read_text()
    shutil.rmtree(project / "d")
    (project / "room").write_bytes(b"0" * 500_000)
    with pytest.raises(OutsideError, match="No space left") as caught:
        get(clone, find_outputs(clone))
    assert caught.value.code == "file-unwritable"
    assert contents_of(project).items() <= wanted.items()
    assert (project / "d.dvc").read_text() == pointer
    assert not list((project / ".dvc/tmp").iterdir())
    (project / "room").unlink()
    get(clone, find_outputs(clone))
    assert contents_of(project) == wanted


def test_a_full_remote(root: Path, small_disk: Path) -> None:
    remote = small_disk / "remote"
    (root / "lockgate.toml").write_text(f'[data]\nremote = "{remote}"\n[stages.a]\nrun = "true"\n')
    clone = open_clone(str(root))
    (root / "d").mkdir()
    for n in range(12):
        (root / f"d/{n}").write_bytes(os.urandom(100_000))
    wanted = contents_of(root)
    add(clone, ["d"])
    commit(root)
    done = subprocess.run(["lockgate", "data", "put"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "No space left" in done.stderr and "Traceback" not in done.stderr
    check_objects(remote)
    assert not list(remote.rglob(".new-*"))
    assert contents_of(root) == wanted and not verify(clone).faults
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    assert lockgate(root, "put").wait() == 0
    assert len(list(remote.glob("files/md5/??/*"))) == 13


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
@pytest.mark.parametrize("content", [b"Content 1", b"con", b""], ids=["flipped", "truncated", "emptied"])
def test_a_damaged_object_is_not_placed_and_mended_by_who_has_the_bytes(
    root: Path, kind: str, content: bytes
) -> None:
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(f"[cache]\n    type = {kind}\n")
    clone = open_clone(str(root))
    (root / "d").mkdir()
    for n in range(3):
        (root / f"d/{n}").write_bytes(b"content %d" % n)
    add(clone, ["d"])
    damaged = Path(clone.object_path(md5_of(b"content 1")))
    damaged.unlink()
    damaged.write_bytes(content)
    damaged.chmod(0o444)
    (root / "d/1").unlink()
    (root / "d/2").unlink()
    pointer = (root / "d.dvc").read_text()
    with pytest.raises(OutsideError, match=r"the bytes of d/1 in this clone's store are damaged") as caught:
        get(clone, find_outputs(clone), is_forced=True)
    assert caught.value.code == "store-damaged"
    assert contents_of(root) == {"0": b"content 0"}
    assert (root / "d.dvc").read_text() == pointer and damaged.read_bytes() == content

    (root / "other").write_bytes(b"content 1")
    add(clone, ["other"])
    assert damaged.read_bytes() == b"content 1"
    get(clone, find_outputs(clone))
    assert contents_of(root) == {str(n): b"content %d" % n for n in range(3)}
    assert not verify(clone).faults


@pytest.mark.parametrize("is_flipped", [True, False], ids=["flipped", "truncated"])
def test_a_damaged_listing_is_not_followed_by_get_nor_gc(root: Path, clone: Clone, is_flipped: bool) -> None:
    fill(root, "kept")
    add(clone, ["d"])
    commit(root)
    (listing,) = Path(clone.store).glob("files/md5/??/*.dir")
    listing.chmod(0o644)
    content = listing.read_bytes()
    listing.write_bytes(content.replace(b'"3/3"', b'"3/2"') if is_flipped else content[:-9])
    (root / "d/3/3").unlink()
    with pytest.raises(UserError, match="listing of d in the store is damaged"):
        get(clone, find_outputs(clone))
    assert not (root / "d/3/3").exists() and not (root / "d/3/2").exists()
    there = set(Path(clone.store).rglob("*"))
    with pytest.raises(OutsideError, match="damaged") as caught:
        collect(clone, is_removed=True, grace_s=0)
    assert caught.value.code == "listing-damaged"
    assert set(Path(clone.store).rglob("*")) == there


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: wrong rights (needs root to be somebody else)")
def test_where_the_rights_are_wrong_each_command_says_so_and_touches_nothing() -> None:
    with job_folder() as folder, as_user_of(folder):
        root, remote = folder / "project", folder / "remote"
        root.mkdir()
        git(root, "init", "-q")
        git(root, "config", "user.name", "nobody")
        git(root, "config", "user.email", "nobody@example.org")
        clone = open_clone(str(root))
        (root / "d").mkdir()
        (root / "d/kept").write_text("kept")
        add(clone, ["d"])
        commit(root)
        (root / "d/lost").write_text("lost")
        add(clone, ["d"])
        (root / "e").write_text("e")
        (root / "d/kept").unlink()
        git(root, "checkout", "-q", "--", "d.dvc")
        remote.mkdir()
        stores = [path for path in (Path(clone.store) / "files/md5").rglob("*") if path.is_dir()]
        closed = [root / "d", remote, Path(clone.store) / "files/md5", *stores]
        before = {path: path.stat().st_mode for path in closed}
        there = files_below(folder)
        for path in closed:
            path.chmod(0o555)
        try:
            works: list[tuple[Callable[[], object], str]] = [
                (lambda: get(clone, find_outputs(clone)), "file-unwritable"),
                (lambda: add(clone, ["e"]), "store-unwritable"),
                (lambda: collect(clone, is_removed=True, grace_s=0), "store-unwritable"),
                (lambda: send(clone, remote, md5_of(b"kept")), "remote-denied"),
            ]
            for work, code in works:
                with pytest.raises(OutsideError) as caught:
                    work()
                assert caught.value.code == code and "Permission denied" in str(caught.value)
                assert files_below(folder) == there, code
        finally:
            for path, mode in before.items():
                path.chmod(mode)
        get(clone, find_outputs(clone))
        assert contents_of(root) == {"kept": b"kept"}
        assert collect(clone, is_removed=True, grace_s=0).objects == 2


def test_nothing_is_collected_while_a_folder_may_hide_a_pointer(root: Path) -> None:
    (root / "hidden").mkdir()
    (root / "hidden/x").write_text("x")
    add(open_clone(str(root)), ["hidden/x"])
    # Root reads everything, unless it gives that up
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if plain and not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: a folder without rights: setpriv is not installed (util-linux)")
    (root / "hidden").chmod(0)
    try:
        words = [*plain, "lockgate", "data", "gc", "--remove", "--grace", "0"]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    finally:
        (root / "hidden").chmod(0o755)
    assert done.returncode == 3 and "hidden cannot be read, so nobody knows" in done.stderr
    assert open_clone(str(root)).has(md5_of(b"x"))


def send(clone: Clone, remote: Path, md5: str) -> object:
    return push(Store(Path(clone.store)), open_remote(str(remote), {}, Path(clone.root)), [md5])


@contextlib.contextmanager
def as_user_of(folder: Path) -> Iterator[None]:
    os.chown(folder, *pwd.getpwnam("nobody")[2:4])
    with as_user("nobody"):
        yield


def files_below(folder: Path) -> dict[Path, bytes]:
    """What members and colleagues see: not what a command notes for itself below `.git` and `.dvc/tmp`."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts and "tmp" not in path.parts[3:]
    }


def test_two_writers_at_once(root: Path) -> None:
    clone = open_clone(str(root))
    for name in ("d", "e"):
        for n in range(200):
            file = root / name / str(n)
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"content {n}")
    processes = [lockgate(root, "add", name) for name in ("d", "e", "d", "e")]
    assert [each.wait() for each in processes] == [0, 0, 0, 0]
    assert {each.word for each in standing(clone)} == {"unchanged"}
    assert (root / ".gitignore").read_text().split() == ["/d", "/e"] or sorted(
        (root / ".gitignore").read_text().split()
    ) == ["/d", "/e"]
    assert not verify(clone).faults


def test_two_getters_and_a_collector_at_once(root: Path, clone: Clone) -> None:
    wanted = fill(root, "content")
    add(clone, ["d"])
    commit(root)
    shutil.rmtree(root / "d")
    failures: list[BaseException] = []

    def call(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (told by the test's own thread)
            failures.append(error)

    threads = [
        threading.Thread(target=call, args=[work])
        for work in (
            lambda: get(open_clone(str(root)), find_outputs(clone)),
            lambda: get(open_clone(str(root)), find_outputs(clone)),
            lambda: collect(clone, is_removed=True, grace_s=0),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    get(clone, find_outputs(clone))
    assert contents_of(root) == wanted
    assert not [each for each in failures if not isinstance(each, OutsideError)]


@pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED: an unreadable file (needs root to be somebody else)"
)
def test_an_unreadable_file_is_named(root: Path, tmp_path: Path) -> None:
    (root / "d").mkdir()
    (root / "d/secret").write_text("x")
    (root / "d/secret").chmod(0)
    for path in (root, root / "d", root / ".git"):
        path.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o755)
    script = (
        "import os; from lockgate.data.survey import survey; from lockgate.data.linking import digest_of\n"
        "from lockgate.data.clone import Clone\n"
        f"clone = Clone({str(root)!r}, '', '', ('copy',), False)\n"
        "os.setuid(65534)\n"
        "survey(clone, 'd', None, digest_of)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "d/secret cannot be read" in done.stderr
