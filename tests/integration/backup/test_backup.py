"""A hub is backed up while members push to it, and brought back: nothing that was promised is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pushing_team import MANIFEST, Pusher, add_members, make_project, missing
from served_hub import ServedHub

from lockgate.hub.directory import Hub, create_hub, is_configured, open_hub
from lockgate.hub.members.book import open_book
from lockgate.hub.operation.backup import back_up
from lockgate.hub.operation.examination import examine
from lockgate.hub.queue import ensure_dispatcher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def lockgate(*words: str | Path, code: int = 0, path: str | None = None) -> str:
    env = dict(os.environ) | ({"PATH": path} if path is not None else {})
    done = subprocess.run(
        [shutil.which("lockgate") or "lockgate", *words], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def wait_for(pushers: list[Pusher], count: int) -> None:
    end = time.monotonic() + 120
    while min(len(pusher.pushed) for pusher in pushers) < count:
        assert time.monotonic() < end, [pusher.faults for pusher in pushers]
        time.sleep(0.05)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = create_hub(tmp_path / "hub")[0]
    make_project(made)
    return made


@pytest.fixture
def filled(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one run that ended."""
    monkeypatch.setenv("LOCKGATE_LINGER_S", "0")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "lockgate.toml").write_text(MANIFEST)
    (tree / "i").write_text("one\n")
    script = (
        "git init -q && git add . && git commit -q -m first &&"
        f" git push -q -o wait {hub.repository('p')} HEAD:refs/heads/main"
    )
    subprocess.run(["sh", "-c", script], cwd=tree, check=True, capture_output=True)
    yield hub


def test_what_was_promised_before_a_backup_is_in_it(hub: Hub, tmp_path: Path) -> None:
    names = add_members(hub, ("ada", "ben"))
    with ServedHub(hub.root, env={"LOCKGATE_LINGER_S": "0.3"}) as served:
        host = served.url.removeprefix("http://")
        team = [
            Pusher(tmp_path, f"http://{name}:{secret}@{host}/git/p.git", name)
            for name, secret in names.items()
        ]
        for pusher in team:
            pusher.start()
        wait_for(team, 2)
        began = time.time()
        lockgate("hub", "backup", tmp_path / "b.tar", "--hub", hub.root)
        wait_for(team, max(len(pusher.pushed) for pusher in team) + 1)
        for pusher in team:
            pusher.stop()
    pushes = [push for pusher in team for push in pusher.pushed]
    promised = [push for push in pushes if push.at < began]
    assert len(promised) >= 4
    assert len(pushes) > len(promised)

    said = lockgate("hub", "restore", tmp_path / "b.tar", tmp_path / "back")
    assert "1 project complete" in said
    back = open_hub(tmp_path / "back")
    ensure_dispatcher(back)
    assert missing(back, promised) == []
    verified = json.loads(lockgate("log", "--verify", "--hub", back.root, "--project", "p", "--json"))
    assert verified["is_intact"]
    assert verified["count"] > len(promised)
    assert {member.name for member in open_book(back).members()} == {"ada", "ben"}
    assert not [found for found in examine(back, is_deep=True) if found.state == "problem"]
    # What it promised later is known to the first hub still
    assert missing(hub, pushes) == []


def test_a_hub_comes_back_as_it_was(filled: Hub, tmp_path: Path) -> None:
    (filled.root / "hub.toml").write_text("[service]\nsession_days = 3\n")
    done = back_up(filled, tmp_path)
    assert Path(done.path).name.startswith("hub-20")
    assert stat.S_IMODE(Path(done.path).stat().st_mode) == 0o600
    lockgate("hub", "restore", done.path, tmp_path / "back")
    back = open_hub(tmp_path / "back")
    for name in ("key", "key.pub", "hub.toml", "hub.json"):
        assert (back.root / name).read_bytes() == (filled.root / name).read_bytes()
    assert stat.S_IMODE(back.key.stat().st_mode) == 0o600
    assert is_configured(back, "p")
    refs = [
        subprocess.run(
            ["git", "-C", str(place.repository("p")), "for-each-ref"], capture_output=True, check=True
        ).stdout
        for place in (filled, back)
    ]
    assert refs[0] == refs[1]
    assert sorted(path.name for path in (back.root / "runs" / "p").iterdir()) == sorted(
        path.name for path in (filled.root / "runs" / "p").iterdir()
    )
    assert "succeeded" in lockgate("runs", "--hub", back.root, "--project", "p")


def test_the_folders_of_runs_may_be_left_out(filled: Hub, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar"
    lockgate("hub", "backup", archive, "--without-runs", "--hub", filled.root)
    found = json.loads(lockgate("hub", "restore", archive, tmp_path / "back", "--json"))
    assert (found["has_runs"], found["run_count"]) == (False, 1)
    assert not any((tmp_path / "back" / "runs").iterdir())


def test_without_zstd_it_is_gzip(filled: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git") or "git")
    lockgate("hub", "backup", tmp_path / "b.tar.gz", "--hub", filled.root, path=str(folder))
    with tarfile.open(tmp_path / "b.tar.gz", "r:gz") as tar:
        assert tar.getnames()[-1] == "lockgate-backup.json"
    lockgate("hub", "restore", tmp_path / "b.tar.gz", tmp_path / "back", path=str(folder))


def test_a_hub_whose_last_member_went_is_not_open_when_it_comes_back(filled: Hub, tmp_path: Path) -> None:
    add_members(filled, ("ada",))
    open_book(filled).remove("ada")
    back_up(filled, tmp_path / "b.tar")
    lockgate("hub", "restore", tmp_path / "b.tar", tmp_path / "back")
    assert not open_book(open_hub(tmp_path / "back")).is_open


@pytest.mark.parametrize("harm", ["cut", "flipped", "other"])
def test_a_damaged_backup_brings_back_nothing(filled: Hub, tmp_path: Path, harm: str) -> None:
    archive = tmp_path / "b.tar"
    back_up(filled, archive)
    content = bytearray(archive.read_bytes())
    if harm == "cut":
        content = content[: len(content) // 2]
    elif harm == "flipped":
        content[len(content) // 2] ^= 0x40
    else:
        content = bytearray(b"this is no backup")
    archive.write_bytes(content)
    assert "[backup-damaged]" in lockgate("hub", "restore", archive, tmp_path / "back", code=2)
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == []


def test_an_exchanged_file_is_noticed(filled: Hub, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "b.tar")
    folder = tmp_path / "u"
    folder.mkdir()
    subprocess.run(f"zstd -dc {tmp_path}/b.tar | tar x -C {folder}", shell=True, check=True)
    order = subprocess.run(
        f"zstd -dc {tmp_path}/b.tar | tar t", shell=True, check=True, capture_output=True, text=True
    ).stdout
    (tmp_path / "order").write_text(order)
    (folder / "key.pub").write_text("ssh-ed25519 AAAA somebody else's\n")
    subprocess.run(
        f"tar c --no-recursion -C {folder} -T {tmp_path}/order | gzip > {tmp_path}/c.tar.gz",
        shell=True,
        check=True,
    )
    said = lockgate("hub", "restore", tmp_path / "c.tar.gz", tmp_path / "back", code=2)
    assert "key.pub is not what was backed up" in said


def test_nothing_is_written_out_of_the_new_hub(filled: Hub, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    assert "[backup-damaged]" in lockgate(
        "hub", "restore", tmp_path / "evil.tar.gz", tmp_path / "back", code=2
    )
    assert not (tmp_path / "evil").exists()


def test_what_must_not_be_overwritten_is_refused(filled: Hub, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar"
    back_up(filled, archive)
    assert "[backup-exists]" in lockgate("hub", "backup", archive, "--hub", filled.root, code=2)
    assert "[backup-inside]" in lockgate("hub", "backup", filled.root / "b.tar", "--hub", filled.root, code=2)
    assert "[hub-not-empty]" in lockgate("hub", "restore", archive, filled.root, code=2)
    assert "[backup-missing]" in lockgate("hub", "restore", tmp_path / "no", tmp_path / "back", code=2)


def test_a_backup_killed_half_way_is_not_there(filled: Hub, tmp_path: Path) -> None:
    big = filled.store / "files" / "md5" / "00"
    big.mkdir(parents=True)
    with (big / ("0" * 30)).open("wb") as file:
        file.truncate(3_000_000_000)
    process = subprocess.Popen(
        ["lockgate", "hub", "backup", str(tmp_path / "b.tar"), "--hub", str(filled.root)]
    )
    end = time.monotonic() + 60
    while not list(tmp_path.glob(".b.tar.partial*")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: a full disk (needs root to mount a small one)")
def test_a_full_disk_is_told(filled: Hub, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("NOT TESTED: a full disk (no small one can be mounted)")
    folder = filled.store / "files" / "md5" / "00"
    folder.mkdir(parents=True)
    (folder / ("0" * 30)).write_bytes(os.urandom(300_000))
    try:
        said = lockgate("hub", "backup", small / "b.tar", "--hub", filled.root, code=3)
        assert "[backup-unwritable]" in said
        assert "No space left" in said
        assert list(small.iterdir()) == []
        back_up(filled, tmp_path / "b.tar")
        said = lockgate("hub", "restore", tmp_path / "b.tar", small / "back", code=3)
        assert "[restore-unwritable]" in said
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=False)
