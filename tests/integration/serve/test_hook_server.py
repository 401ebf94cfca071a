"""Hooks done by the hook server: as those that git starts itself, and none is lost with the server."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pushing_team import MANIFEST, make_project

from lockgate.hub import hook as client
from lockgate.hub.directory import HOOKS, Hub, create_hub
from lockgate.hub.hook import SOCKET
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.pushing.hookserver import HookServer, hook_server

DEADLINE_S = 60.0


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("LOCKGATE_LINGER_S", "0.3")
    made = create_hub(tmp_path / "hub")[0]
    make_project(made)
    return made


@pytest.fixture
def served(hub: Hub) -> Iterator[subprocess.Popen[bytes]]:
    with hook_server(hub) as server:
        until(lambda: listens(hub), "the server listens")
        yield server.process


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    git(made, "init", "--quiet", "--initial-branch=main")
    (made / "lockgate.toml").write_text(MANIFEST)
    change(made, "1")
    return made


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def change(tree: Path, text: str) -> str:
    (tree / "i").write_text(f"{text}\n")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "-m", text)
    return git(tree, "rev-parse", "HEAD")


#: A push by path, and one by a program that has a line to the server, as members' over HTTP and ssh.
WAYS = pytest.mark.parametrize("way", ["client", "line"])
WITH_LINE = """\
import os, sys
from pathlib import Path
from lockgate.hub.hook_line import bequeathed
root, *words = sys.argv[1:]
os.execvpe(words[0], words, os.environ | bequeathed(Path(root)))
"""


def words_of(hub: Hub, *words: str, branch: str = "main", way: str = "client") -> list[str]:
    before = [sys.executable, "-c", WITH_LINE, str(hub.root)] if way == "line" else []
    return [*before, "git", "push", *words, str(hub.repository("p")), f"HEAD:refs/heads/{branch}"]


def push(
    hub: Hub, tree: Path, *words: str, branch: str = "main", way: str = "client", **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words_of(hub, *words, branch=branch, way=way),
        cwd=tree,
        env=dict(os.environ) | env,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.005)


def listens(hub: Hub) -> bool:
    with contextlib.chdir(hub.root), socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(SOCKET) == 0


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill_and_wait_for_another(server: HookServer) -> None:
    killed = server.process
    killed.kill()
    until(lambda: server.process is not killed, "there is another server")


def watch_for_children(pid: int, seen: threading.Event) -> None:
    """Set `seen` once the process has a child."""
    end = time.monotonic() + DEADLINE_S
    while not children(pid) and time.monotonic() < end:
        time.sleep(0.001)
    if children(pid):
        seen.set()


def runs(hub: Hub, state: str) -> list[RunRow]:
    if not hub.index.exists():
        return []
    index = Index(hub.index, is_read_only=True)
    rows = index.runs("p", 1000)
    index.close()
    return [row for row in rows if row.state == state]


@WAYS
def test_the_server_is_the_hook_with_its_callers_environment(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path, way: str
) -> None:
    done = push(hub, tree, "-o", "wait", way=way, LOCKGATE_MEMBER="ada")
    assert done.returncode == 0, done.stderr
    assert "remote: run " in done.stderr
    assert "SUCCEEDED" in done.stderr
    assert [run.request.member for run in runs(hub, "succeeded")] == ["ada"]


@WAYS
def test_a_refusal_of_the_server_refuses_the_push(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path, way: str
) -> None:
    (tree / "lockgate.toml").write_text("[stages.copy]\nrum = 1\n")
    change(tree, "wrong")
    done = push(hub, tree, way=way)
    assert done.returncode != 0
    assert "lockgate: nothing was queued: lockgate.toml:2" in done.stderr
    assert "pre-receive hook declined" in done.stderr
    assert git(hub.repository("p"), "for-each-ref", "refs/heads") == ""


@WAYS
def test_without_the_server_git_does_the_hooks_itself(hub: Hub, tree: Path, way: str) -> None:
    with contextlib.chdir(hub.root), socket.socket(socket.AF_UNIX) as left:
        left.bind(SOCKET)
    assert (hub.root / SOCKET).exists() and not listens(hub)
    done = push(hub, tree, "-o", "wait", way=way)
    assert done.returncode == 0, done.stderr
    assert "SUCCEEDED" in done.stderr, done.stderr


@WAYS
def test_a_killed_server_is_started_again_and_does_the_next_push(
    hub: Hub, tree: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    with hook_server(hub) as server:
        for number in range(3):
            until(lambda: listens(hub), "the server listens")
            kill_and_wait_for_another(server)
            until(lambda: listens(hub), "another listens")
            taken = threading.Event()
            watching = threading.Thread(target=watch_for_children, args=(server.process.pid, taken))
            watching.start()
            change(tree, f"after {number}")
            done = push(hub, tree, "-o", "wait", branch=f"of-{number}", way=way)
            watching.join()
            assert done.returncode == 0, done.stderr
            assert "SUCCEEDED" in done.stderr, done.stderr
            assert taken.is_set(), "git did the hooks itself"
    assert not listens(hub)
    said = [record.getMessage() for record in caplog.records if record.name.endswith("hookserver")]
    assert said == ["the hook server ended with -9 and is started again"] * 3


@WAYS
def test_a_server_that_takes_nothing_is_no_hindrance(hub: Hub, tree: Path, way: str) -> None:
    with contextlib.chdir(hub.root), socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(SOCKET)
        deaf.listen()

        def hang_up() -> None:
            for _ in range(2 if way == "client" else 3):
                deaf.accept()[0].close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        done = push(hub, tree, way=way)
        hanging_up.join(DEADLINE_S)
    assert done.returncode == 0, done.stderr
    assert "remote: run " in done.stderr


@WAYS
def test_the_hook_ends_with_the_push(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path, tmp_path: Path, way: str
) -> None:
    gate = tmp_path / "gate"
    run = f"until [ -e {gate} ]; do sleep 0.02; done; cat i > o"
    (tree / "lockgate.toml").write_text(MANIFEST.replace("cat i > o", run))
    change(tree, "waits")
    words = words_of(hub, "-o", "wait", way=way)
    with subprocess.Popen(words, cwd=tree, stderr=subprocess.PIPE, start_new_session=True) as pushing:
        until(lambda: runs(hub, "running"), "the run is under way")
        until(lambda: len(children(served.pid)) == 1, "post-receive follows the run")
        os.killpg(pushing.pid, signal.SIGKILL)
    until(lambda: children(served.pid) == [], "the hook ended")
    gate.touch()
    until(lambda: runs(hub, "succeeded"), "the run ended")


@WAYS
def test_hooks_killed_at_any_moment_lose_no_push(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path, way: str
) -> None:
    chance = random.Random(7)
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.wait(chance.uniform(0.0, 0.05)):
            for child in children(served.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    accepted = set()
    try:
        for number in range(25):
            commit = change(tree, f"number {number}")
            if push(hub, tree, branch=f"of-{number}", way=way).returncode == 0:
                accepted.add(commit)
    finally:
        is_over.set()
        killing.join()
    accepted.add(change(tree, "last"))
    assert push(hub, tree).returncode == 0
    # One whose post-receive was killed is queued by the dispatcher
    until(lambda: accepted <= {run.request.commit for run in runs(hub, "succeeded")}, "all have run")
    assert {run.request.commit for run in runs(hub, "succeeded")} <= accepted


def test_a_worker_does_one_push_after_another_and_keeps_nothing_of_any(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path
) -> None:
    assert push(hub, tree, branch="one", way="line", LOCKGATE_MEMBER="ada").returncode == 0
    workers = children(served.pid)
    assert len(workers) == 1
    commit = change(tree, "2")
    assert push(hub, tree, branch="two", way="client").returncode == 0
    (tree / "lockgate.toml").write_text("[stages.copy]\nrum = 1\n")
    change(tree, "wrong")
    assert push(hub, tree, way="line").returncode == 1
    git(tree, "reset", "--quiet", "--hard", commit)
    change(tree, "3")
    assert push(hub, tree, branch="three", way="line").returncode == 0
    assert children(served.pid) == workers
    until(lambda: len(runs(hub, "succeeded")) == 3, "all have run")
    author = git(tree, "log", "-1", "--format=%ce")
    assert [run.request.member for run in runs(hub, "succeeded")] == [author, author, "ada"]
    here = Path(f"/proc/{workers[0]}")
    assert {(here / "fd" / number).readlink() for number in "01"} == {Path(os.devnull)}
    assert (here / "cwd").readlink() == hub.root


def test_pushes_at_one_moment_have_a_worker_each_and_few_stay(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path
) -> None:
    words = [words_of(hub, branch=f"of-{number}", way="line") for number in range(20)]
    pushing = [subprocess.Popen(each, cwd=tree, stderr=subprocess.DEVNULL) for each in words]
    assert [each.wait(DEADLINE_S) for each in pushing] == [0] * 20
    until(lambda: len(children(served.pid)) <= 8, "few workers wait for more")
    until(lambda: len(runs(hub, "succeeded")) == 20, "all have run")


def test_a_line_spares_the_hook_its_interpreter(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path
) -> None:
    for hook in HOOKS:
        place = hub.repository("p") / "hooks" / hook
        place.write_text(place.read_text().partition("python=")[0] + "exit 77\n")
    assert push(hub, tree).returncode != 0
    done = push(hub, tree, way="line")
    assert done.returncode == 0, done.stderr
    assert "remote: run " in done.stderr


def test_a_hook_whose_streams_are_no_pipes_does_its_work_itself(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("what was there\n")
    (tree / "lockgate.toml").write_text("[stages.copy]\nrum = 1\n")
    commit = change(tree, "wrong")
    git(hub.repository("p"), "fetch", "--quiet", str(tree), "main")
    asked = f"{'0' * 40} {commit} refs/heads/main\n"
    with kept.open("a") as file:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                WITH_LINE,
                str(hub.root),
                str(hub.repository("p") / "hooks" / "pre-receive"),
            ],
            cwd=hub.repository("p"),
            input=asked,
            text=True,
            stdout=file,
            check=False,
        )
    assert done.returncode == 2
    assert kept.read_text().startswith("what was there\nlockgate: nothing was queued: lockgate.toml:2")


def test_a_new_server_takes_over_and_the_old_one_finishes(hub: Hub, tree: Path) -> None:
    with hook_server(hub) as first:
        until(lambda: listens(hub), "the first listens")
        inode = (hub.root / SOCKET).stat().st_ino
        with hook_server(hub) as second:
            until(lambda: (hub.root / SOCKET).stat().st_ino != inode, "the second has taken over")
            first.close()
            assert first.process.returncode == 0
            assert listens(hub)
            assert push(hub, tree, branch="one").returncode == 0
        assert second.process.returncode == 0
    assert not (hub.root / SOCKET).exists()
    assert push(hub, tree, branch="two").returncode == 0


def test_what_is_no_request_does_not_end_the_server(
    hub: Hub, served: subprocess.Popen[bytes], tree: Path
) -> None:
    with contextlib.chdir(hub.root), socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(SOCKET)
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        stranger.settimeout(DEADLINE_S)
        with contextlib.suppress(ConnectionResetError):
            stranger.recv(100)
    assert served.poll() is None
    assert push(hub, tree).returncode == 0


def test_a_hub_far_down_in_the_file_system_has_a_server_too(tmp_path: Path, tree: Path) -> None:
    """A socket's name may have 107 bytes, see unix(7)."""
    hub = create_hub(tmp_path / ("d" * 200) / "hub")[0]
    make_project(hub)
    with hook_server(hub):
        until(lambda: listens(hub), "the server listens")
        assert push(hub, tree).returncode == 0


def test_the_client_imports_next_to_nothing(tmp_path: Path) -> None:
    """It is what every push waits for twice."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", client.__file__, "pre-receive", tmp_path, "p"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "_socket" in imported
    assert imported & {"site", "socket", "enum", "re", "pathlib", "typing", "subprocess", "lockgate"} == set()
