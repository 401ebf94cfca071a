"""`lockgate hub gc`: what a project needs stays; what nobody needs goes, with what broke off."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from data_place import add_data, hub_store
from e2e_place import Place, WorkTree, until

from lockgate.data.store import Store
from lockgate.hub.directory import open_hub
from lockgate.hub.operation.collecting import GRACE_S, collect

PROJECT = (
    '[data]\nresult_limit = "1 B"\n[stages.s]\nrun = "cat x d/* > o"\nneeds = ["x", "d"]\nmakes = ["o"]\n'
)


def project(place: Place) -> WorkTree:
    tree = place.project({"lockgate.toml": PROJECT})
    tree.write({"x": "x of now\n", "d/1": "one\n", "d/2": "two\n"})
    add_data(tree, "x")
    add_data(tree, "d")
    tree.commit()
    tree.lockgate("hub", "send")
    tree.push()
    return tree


def objects(store: Store) -> set[str]:
    return {path.parent.name + path.name for path in (store.folder / "files/md5").glob("*/*")}


def age(place: Place, hours: float = 48) -> None:
    """Have all that lies there lie there since long ago."""
    long_ago = time.time() - hours * 3600
    for path in [*(place.hub / "store").rglob("*"), *(place.hub / "incoming").rglob("*")]:
        if path.is_file():
            os.utime(path, (long_ago, long_ago))


def orphan(tree: WorkTree, content: bytes) -> str:
    """Send data that no commit names."""
    md5 = hashlib.md5(content).hexdigest()
    words = ["lockgate", "hub", "take", "--hub", str(tree.place.hub), "--project", "p"]
    stream = f"{md5} {len(content)} 0\n".encode() + content + b"end\n"
    subprocess.run(words, input=stream, env=tree.place.env, check=True)
    return md5


def gc(tree: WorkTree, *words: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(
        tree.lockgate("hub", "gc", "--json", "--hub", str(tree.place.hub), *words).out
    )
    return found


def test_only_what_nobody_needs_goes(place: Place) -> None:
    tree, store = project(place), hub_store
    needed = objects(store(tree))
    lost = orphan(tree, b"nobody's\n")
    assert gc(tree, "--remove")["objects"] == 0  # young
    age(place)
    told = tree.lockgate("hub", "gc").out
    assert "1 object, 9 bytes would be removed" in told and "lockgate hub gc --remove" in told
    assert store(tree).has(lost)
    assert gc(tree, "--remove") | {"kept": 0} == {
        "objects": 1,
        "size_bytes": 9,
        "leftovers": 0,
        "leftover_bytes": 0,
        "kept": 0,
        "young": 0,
        "is_removed": True,
    }
    assert objects(store(tree)) == needed
    assert gc(tree, "--remove")["objects"] == 0


def test_old_versions_tags_other_projects_and_snapshots_keep_what_they_name(place: Place) -> None:
    tree = project(place)
    tree.write({"x": "x of a tag\n"})
    add_data(tree, "x")
    tree.commit()
    tree.git("tag", "v1")
    tree.lockgate("hub", "send")
    tree.push("-o", "skip", "v1")
    tree.git("reset", "-q", "--hard", "HEAD~1")
    tree.write({"x": "x of a snapshot\n"})
    tree.lockgate("data", "add", "x")
    tree.lockgate("run")
    other = place.project({"lockgate.toml": PROJECT}, "q")
    other.write({"x": "x of q\n", "d/1": "one of q\n"})
    add_data(other, "x")
    add_data(other, "d")
    other.commit()
    other.lockgate("hub", "send")
    other.push("-o", "skip", "main")
    place.settle()
    before = objects(hub_store(tree))
    age(place)
    assert gc(tree, "--remove")["objects"] == 0
    # Git alone says what is needed, too
    (place.hub / "index.sqlite").rename(place.root / "lost.sqlite")
    assert gc(tree, "--remove")["objects"] == 0
    assert objects(hub_store(tree)) == before


def test_what_is_asked_for_is_young_again(place: Place) -> None:
    tree = project(place)
    md5 = orphan(tree, b"to be named\n")
    age(place)
    asked = json.dumps([md5]).encode()
    words = ["lockgate", "hub", "lacking", "--json", "--hub", str(place.hub), "--project", "p"]
    done = subprocess.run(words, input=asked, env=place.env, check=True, capture_output=True)
    assert json.loads(done.stdout)["lacking"] == {}
    assert gc(tree, "--remove")["objects"] == 0
    assert hub_store(tree).has(md5)


def test_a_push_while_it_looks_keeps_its_data(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = project(place)
    tree.git("checkout", "-qb", "late")
    tree.write({"x": "x of a late push\n"})
    md5 = add_data(tree, "x")
    tree.commit()
    tree.lockgate("hub", "send")
    age(place)

    # It waits for whoever is about to name an object; meanwhile the push comes
    lock = os.open(place.hub / "store" / "collecting.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)
    collecting = threading.Thread(target=lambda: collect(open_hub(place.hub), is_removed=True))
    collecting.start()
    time.sleep(1)
    assert collecting.is_alive()
    tree.push("-o", "skip", "late")
    age(place)
    os.close(lock)
    collecting.join(60)
    assert hub_store(tree).has(md5)


def test_what_projects_take_is_told(place: Place) -> None:
    tree = project(place)
    orphan(tree, b"x" * 1000)
    told = json.loads(tree.lockgate("hub", "storage", "p", "--json", "--hub", str(place.hub)).out)
    listing = next((place.hub / "store/files/md5").glob("*/*.dir")).stat().st_size
    assert told[0]["data_bytes"] == len("x of now\none\ntwo\n") + listing + 1000
    assert told[0]["artifacts_bytes"] == len("x of now\none\ntwo\n")
    assert told[0]["git_bytes"] > 0 and told[0]["runtimes_bytes"] > 0
    assert "data 1.1 kB" in tree.lockgate("hub", "storage").out
    assert "[project-unknown]" in tree.lockgate("hub", "storage", "nobody", code=2).err


def test_what_broke_off_goes_and_what_is_under_way_stays(place: Place) -> None:
    tree = project(place)
    parts = place.hub / "incoming" / "p"
    parts.mkdir(parents=True, exist_ok=True)
    for name in ("a" * 32 + ".part", "b" * 32 + "-x1", "c" * 32 + ".part"):
        (parts / name).write_bytes(b"half")
    draft = place.hub / "store/files/md5/aa/.new-killed"
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(b"half")
    young = parts / ("d" * 32 + ".part")
    age(place)
    young.write_bytes(b"half")
    with (parts / ("c" * 32 + ".part")).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = gc(tree, "--remove")
    assert (found["leftovers"], found["leftover_bytes"]) == (3, 12)
    assert sorted(path.name[0] for path in parts.iterdir()) == ["c", "d"]
    assert not draft.exists()


def test_killed_at_any_moment_it_loses_nothing(place: Place) -> None:
    tree = project(place)
    needed = objects(hub_store(tree))
    for n in range(300):
        Store(place.hub / "store").put_bytes(f"nobody's {n}".encode())
    age(place)
    for delay_s in (0.05, 0.15, 0.25, 0.3, 0.35, 0.4, 0.5):
        words = ["lockgate", "hub", "gc", "--remove", "--hub", str(place.hub)]
        killed = subprocess.Popen(words, env=place.env, stdout=subprocess.DEVNULL)
        time.sleep(delay_s)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert needed <= objects(hub_store(tree))
    gc(tree, "--remove")
    assert objects(hub_store(tree)) == needed
    assert all(hub_store(tree).check(md5) for md5 in needed)


def test_where_a_listing_is_damaged_nothing_goes(place: Place) -> None:
    tree = project(place)
    lost = orphan(tree, b"nobody's\n")
    listing = next((place.hub / "store/files/md5").glob("*/*.dir"))
    listing.chmod(0o644)
    listing.write_bytes(b"[{")
    age(place)
    said = tree.lockgate("hub", "gc", "--remove", code=3).err
    assert "[listing-damaged]" in said and listing.name in said
    assert hub_store(tree).has(lost)


def test_a_repository_that_cannot_be_read_stops_it(place: Place) -> None:
    tree = project(place)
    lost = orphan(tree, b"nobody's\n")
    age(place)
    head = tree.head()
    (Path(place.repository()) / "objects" / head[:2] / head[2:]).unlink(missing_ok=True)
    for pack in (Path(place.repository()) / "objects" / "pack").glob("*"):
        pack.unlink()
    assert "[git-failed]" in tree.lockgate("hub", "gc", "--remove", code=3).err
    assert hub_store(tree).has(lost)
    until(place.is_idle, "nothing runs")


def test_too_little_grace_is_no_grace(place: Place) -> None:
    tree = project(place)
    orphan(tree, b"nobody's\n")
    age(place, hours=1)
    assert collect(open_hub(place.hub), is_removed=True, grace_s=0).objects == 0
    assert "--grace" in tree.lockgate("hub", "gc", "--grace", "0", code=2).err
    assert GRACE_S == 86_400
