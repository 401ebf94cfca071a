"""Processes as the system tells them, by /proc and by psutil alike."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends import processes, psproc
from lockgate.backends.process import MARKER, Process, tree

SOURCES: list[ModuleType] = [psproc]
if sys.platform == "linux":
    from lockgate.backends import procfs

    SOURCES.append(procfs)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"], env={MARKER: "mark-ä", "Z": "1"}, executable="/bin/sleep",
                             start_new_session=True)  # fmt: skip
    yield child
    child.kill()
    child.wait()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.__name__))
def test_a_process_is_told(source: ModuleType, sleeper: subprocess.Popen[bytes]) -> None:
    found = source.scan()[sleeper.pid]
    assert (found.parent, found.session) == (os.getpid(), sleeper.pid)
    assert found.rss_bytes > 0
    assert 0 <= source.age_s(found) + 0.02 < 60
    assert source.find(sleeper.pid).start == found.start
    assert source.marker_of(sleeper.pid) == "mark-ä"
    assert source.proportional_bytes(found) > 0
    sleeper.kill()
    ends_at = time.monotonic() + 30
    while source.find(sleeper.pid) is not None:
        assert time.monotonic() < ends_at
    assert sleeper.pid not in source.scan()
    sleeper.wait()
    assert source.find(sleeper.pid) is None
    assert source.marker_of(sleeper.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: /proc: only Linux has it")
def test_a_process_with_an_ugly_name() -> None:
    fields = "R 7 8 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 250 1000 3"
    found = procfs.parse_stat(5, f"5 (a) b) S 1 ) {fields} 0 0\n".encode())
    assert found is not None and (found.parent, found.session) == (7, 9)
    assert found.rss_bytes == 3 * os.sysconf("SC_PAGE_SIZE")
    assert procfs.parse_stat(5, f"5 (x) {fields.replace('R', 'Z', 1)} 0\n".encode()) is None
    assert procfs.parse_stat(5, b"") is None


def scan_of(*rows: tuple[int, int, int, float]) -> dict[int, Process]:
    return {pid: Process(pid, parent, session, start, 1000) for pid, parent, session, start in rows}


def test_a_tree_is_session_descendants_and_what_was_seen() -> None:
    scan = scan_of(
        (1, 0, 1, 0.0),
        (10, 1, 10, 5.0),  # the shell
        (11, 10, 10, 5.1),  # its child
        (12, 11, 12, 5.2),  # which left the session
        (13, 12, 12, 5.3),
        (14, 1, 10, 5.4),  # orphan of the session
        (15, 1, 15, 5.5),  # orphan outside, seen before
        (16, 15, 15, 5.6),
        (17, 1, 17, 9.9),  # has the pid of one seen before
        (20, 1, 20, 1.0),
    )
    assert set(tree(scan, 10, {15: 5.5, 17: 6.6, 99: 1.0})) == {10, 11, 12, 13, 14, 15, 16}
    assert tree({}, 10, {10: 5.0}) == {}


@given(
    st.dictionaries(st.integers(1, 30), st.tuples(st.integers(0, 30), st.integers(0, 30))), st.integers(1, 30)
)
def test_any_tree_comes_to_an_end(rows: dict[int, tuple[int, int]], root: int) -> None:
    scan = scan_of(*((pid, parent, session, 0.0) for pid, (parent, session) in rows.items()))
    found = tree(scan, root, {})
    assert set(found) <= set(scan)
    assert all(each.pid in found for each in scan.values() if each.parent in found)


def test_memory_is_a_sum() -> None:
    scan = scan_of((1, 0, 0, 0.0), (2, 0, 0, 0.0))
    assert processes.memory_bytes(scan, [1, 2, 3], None) == 2000
    assert processes.memory_bytes(scan, [1], 10) == 1000


def test_an_end_wakes_and_is_told(sleeper: subprocess.Popen[bytes]) -> None:
    watch = processes.ExitWatch()
    assert watch.add(sleeper.pid)
    assert watch.ended() == []
    sleeper.kill()
    assert select.select([watch.fileno()], [], [], 30)[0]
    assert watch.ended() == [sleeper.pid]
    watch.drop(sleeper.pid)
    assert watch.ended() == []
    watch.close()


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: pidfd: only Linux has it")
def test_what_is_dropped_is_forgotten_though_a_copy_lives_on(sleeper: subprocess.Popen[bytes]) -> None:
    watch = procfs.ExitWatch()
    watch.add(sleeper.pid)
    copy = os.dup(watch._descriptors[sleeper.pid])
    watch.drop(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert watch.ended() == []
    os.close(copy)
    watch.close()


def test_what_is_gone_cannot_be_watched() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    watch = processes.ExitWatch()
    assert not watch.add(gone.pid)
    watch.drop(gone.pid)
    watch.close()


def test_signals_to_what_is_gone_are_passed_over(sleeper: subprocess.Popen[bytes]) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    processes.send([gone.pid, sleeper.pid], signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
