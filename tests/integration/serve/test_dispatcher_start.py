"""Who starts a hub's dispatcher: of many who push at one moment one does."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.operation.examination import dispatcher_pid
from lockgate.hub.queue import ensure_dispatcher
from lockgate.hub.wake import wake_up

DEADLINE_S = 60.0
PUSHES = 20


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("LOCKGATE_LINGER_S", "3")
    return create_hub(tmp_path / "hub")[0]


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.005)


def is_starting(hub: Hub) -> bool:
    handle = os.open(hub.starting, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def starting(hub: Hub) -> list[int]:
    """Return the processes that hold the start."""
    return [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if _target(folder / "fd" / "3") == hub.starting and int(folder.name) != os.getpid()
    ]


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def test_of_many_at_one_moment_one_starts_it(hub: Hub) -> None:
    gate = threading.Barrier(PUSHES)

    def push() -> bool:
        gate.wait()
        return ensure_dispatcher(hub)

    with ThreadPoolExecutor(PUSHES) as pool:
        started = [each.result() for each in [pool.submit(push) for _ in range(PUSHES)]]
    assert started.count(True) == 1
    until(lambda: wake_up(hub), "it listens")
    until(lambda: not is_starting(hub), "its start is over")
    assert not ensure_dispatcher(hub)
    until(lambda: dispatcher_pid(hub) is None, "it ended")


def test_one_killed_before_it_listens_is_followed_by_another(hub: Hub) -> None:
    assert ensure_dispatcher(hub)
    found = starting(hub)
    assert len(found) == 1
    os.kill(found[0], signal.SIGKILL)
    until(lambda: not is_starting(hub), "the kernel took its lock")
    assert ensure_dispatcher(hub)
    until(lambda: wake_up(hub), "the other listens")
    until(lambda: dispatcher_pid(hub) is None, "it ended")


def test_one_that_is_over_is_followed_by_another(hub: Hub) -> None:
    for _ in range(2):
        assert ensure_dispatcher(hub)
        until(lambda: wake_up(hub), "it listens")
        until(lambda: dispatcher_pid(hub) is None, "it ended")
        until(lambda: not is_starting(hub), "its start is over")
