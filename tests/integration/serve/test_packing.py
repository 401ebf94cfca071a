"""What pushes and runs leave in a repository is packed while nothing is to be done; nothing is lost by it."""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from pushing_team import make_project

from lockgate.git.listing import blob_id
from lockgate.git.loose import write_object
from lockgate.git.objects import Repository
from lockgate.git.program import git
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.running.dispatcher import dispatch
from lockgate.hub.running.packing import MANY, MANY_PACKS, Packing

DEADLINE_S = 60.0
COUNT = 40


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = create_hub(tmp_path / "hub")[0]
    make_project(made)
    return made


def fill(hub: Hub, begin: int = 0, count: int = COUNT) -> list[str]:
    """Write objects that no ref reaches into the one folder of 256 that is looked at."""
    contents = (b"%d\n" % number for number in itertools.count(begin * 1_000_000))
    here = (content for content in contents if blob_id(content).startswith("17"))
    return [write_object(hub.repository("p"), "blob", content) for content in itertools.islice(here, count)]


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.005)


def loose_count(hub: Hub) -> int:
    return int(git(hub.repository("p"), "count-objects").split()[0])


def packs(hub: Hub) -> list[Path]:
    return sorted((hub.repository("p") / "objects" / "pack").glob("*.pack"))


def are_there(hub: Hub, ids: list[str]) -> bool:
    asked = "".join(f"{id}\n" for id in ids).encode()
    return b"missing" not in git(hub.repository("p"), "cat-file", "--batch-check", stdin=asked)


def begin(hub: Hub) -> Packing:
    """Begin, once all processes of one that was killed have let go of the lock."""
    tried: list[Packing] = []

    def has_begun() -> bool:
        tried.append(Packing(hub))
        tried[-1].go_on()
        return tried[-1].pid is not None

    until(has_begun, "it has begun")
    return tried[-1]


def pack(hub: Hub) -> None:
    packing = begin(hub)
    until(lambda: not packing.is_under_way, "it is packed")


def test_a_dispatcher_with_nothing_to_do_packs_what_is_there(hub: Hub) -> None:
    ids = fill(hub)
    reader = Repository(hub.repository("p"))
    kept = reader.read_blob(ids[0])
    assert dispatch(hub, linger=1.5)
    until(lambda: loose_count(hub) == 0, "all is packed")
    assert len(packs(hub)) == 1
    assert are_there(hub, ids)
    assert reader.read_blob(ids[0]) == kept
    assert {blob_id(reader.read_blob(id)) for id in ids} == set(ids)
    git(hub.repository("p"), "fsck", "--strict")


def test_few_are_let_be(hub: Hub) -> None:
    fill(hub, count=MANY // 2)  # the project has a few of its own
    packing = Packing(hub)
    packing.go_on()
    assert not packing.is_under_way
    assert packs(hub) == []


def test_packs_are_joined(hub: Hub) -> None:
    ids = []
    for number in range(4):
        ids += fill(hub, number)
        pack(hub)
    assert loose_count(hub) == 0
    assert len(packs(hub)) <= 2
    assert are_there(hub, ids)


def test_many_packs_are_joined_too(hub: Hub) -> None:
    ids = fill(hub, count=MANY_PACKS)
    for id in ids:
        git(hub.repository("p"), "pack-objects", "-q", "objects/pack/pack", stdin=f"{id}\n".encode())
    git(hub.repository("p"), "prune-packed")
    pack(hub)
    assert len(packs(hub)) == 1
    assert are_there(hub, ids)


def test_there_is_one_at_a_time(hub: Hub) -> None:
    fill(hub)
    with (hub.repository("p") / "lockgate-packing.lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        packing = Packing(hub)
        packing.go_on()
        assert not packing.is_under_way
    pack(hub)
    assert loose_count(hub) == 0


def test_one_that_is_killed_loses_nothing_and_the_next_one_goes_on(hub: Hub) -> None:
    ids = fill(hub)
    chance = random.Random(3)
    for number in range(1, 12):
        packing = begin(hub)
        assert packing.pid is not None
        time.sleep(chance.uniform(0.0, 0.05))
        os.killpg(packing.pid, signal.SIGKILL)
        until(partial(lambda begun: not begun.is_under_way, packing), "it has ended")
        assert are_there(hub, ids)
        ids += fill(hub, number)
    pack(hub)
    assert loose_count(hub) == 0
    assert are_there(hub, ids)
    git(hub.repository("p"), "fsck", "--strict")


def test_whoever_writes_meanwhile_loses_nothing(hub: Hub) -> None:
    ids = fill(hub)
    is_over = threading.Event()
    reader = Repository(hub.repository("p"))

    def write() -> None:
        for number in range(100_000):
            if is_over.wait(0.002):
                return
            ids.append(write_object(hub.repository("p"), "blob", b"by us %d\n" % number))
            ids.append(reader.write_blob(b"by libgit2 %d\n" % number))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(1, 8):
            ids.extend(fill(hub, number))
            pack(hub)
    finally:
        is_over.set()
        writing.join()
    assert len(ids) > 8 * COUNT + 100
    assert are_there(hub, ids)
