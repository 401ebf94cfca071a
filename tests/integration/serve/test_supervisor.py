"""A hub's service under its supervisor: restarts, ends, deaths, and what is refused in words."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served_hub import ServedHub

from lockgate.git.program import git
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.worktree.admission import admit

SLOW: list[str | Path] = [sys.executable, Path(__file__).with_name("slow_worker.py")]
pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return create_hub(tmp_path / "hub")[0]


@pytest.fixture
def served(hub: Hub) -> Iterator[ServedHub]:
    with ServedHub(hub.root, worker=SLOW) as place:
        yield place


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


def refused(hub: Hub, *options: str) -> tuple[int, str]:
    words = ["lockgate", "hub", "serve", str(hub.root), *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def slow_request(served: ServedHub) -> tuple[threading.Thread, list[str]]:
    """Begin a request that takes a second and a half."""
    answers: list[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            answers.append(served.get("/slow"))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    return thread, answers


def test_a_restart_lets_what_is_under_way_come_to_its_end(served: ServedHub) -> None:
    old = served.get("/pid")
    slow, answers = slow_request(served)
    served.restart()
    until(lambda: served.get("/pid") != old, "the new worker answers")
    slow.join(20)
    assert answers == [old]
    until(lambda: is_gone(int(old)), "the old worker ends")


def test_no_request_fails_over_restarts(served: ServedHub) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    is_over = threading.Event()
    seen: set[bytes] = set()
    faults: list[BaseException] = []
    counts = [0, 0]

    def ask(number: int, is_kept: bool) -> None:
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            while not is_over.is_set():
                connection.request("GET", "/pid")
                seen.add(connection.getresponse().read())
                counts[number] += 1
                if not is_kept:
                    connection.close()
        except (OSError, http.client.HTTPException) as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(number, number == 0)) for number in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        served.restart()
    time.sleep(3)
    is_over.set()
    for thread in threads:
        thread.join(30)
    assert not faults
    assert len(seen) == 4
    assert min(counts) > 50


def test_an_end_waits_for_what_is_under_way(served: ServedHub) -> None:
    slow, answers = slow_request(served)
    served.process.terminate()
    assert served.process.wait(20) == 0
    slow.join(5)
    assert len(answers) == 1
    assert served.lines("service.ended")


def test_a_second_end_does_not_wait(served: ServedHub) -> None:
    slow, answers = slow_request(served)
    served.process.send_signal(signal.SIGINT)
    served.wait_for("service.ending")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(5) == 0
    assert served.lines("worker.killed")
    slow.join(5)
    assert not answers


def test_a_worker_that_dies_is_started_anew_and_told_of(served: ServedHub) -> None:
    for times in (1, 2):
        with pytest.raises(OSError):
            served.get("/die")
        served.wait_ready(1 + times)
    told = [line["message"] for line in served.lines("worker.died")]
    assert told[0].endswith("ended with exit code 7; another starts in 0.5 s")
    assert told[1].endswith("ended with exit code 7; another starts in 1.0 s")


def test_workers_end_when_their_supervisor_was_killed(served: ServedHub) -> None:
    worker = int(served.get("/pid"))
    served.process.kill()
    served.process.wait()
    until(lambda: is_gone(worker), "the worker ends")
    with ServedHub(served.hub, worker=SLOW) as again:
        assert again.get("/pid") != str(worker)


def test_a_hub_is_served_once(hub: Hub, served: ServedHub) -> None:
    code, said = refused(hub, "--port", "0")
    assert code == 2
    assert f"is served already, by process {served.process.pid}" in said


def test_a_port_that_is_taken_is_told(hub: Hub) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        code, said = refused(hub, "--port", port)
    assert code == 3
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert "[port-taken]" in said


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--host", "0.0.0.0", "--port", "0"], 2, "[hub-open]"),
        (["--host", "no-such-host.invalid"], 2, "[host-unknown]"),
        (["--host", "192.0.2.1", "--port", "0"], 3, "[port-unavailable]"),
        (["--tls-cert", "x.pem"], 2, "[tls-incomplete]"),
        (["--tls-cert", "x.pem", "--tls-key", "x.key"], 2, "[tls-missing]"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(
    hub: Hub, options: list[str], code: int, says: str
) -> None:
    found, said = refused(hub, *options)
    assert found == code
    assert says in said


def test_settings_that_cannot_be_read_end_the_first_start_and_not_a_restart(hub: Hub) -> None:
    with ServedHub(hub.root) as served:
        (hub.root / "hub.toml").write_text("[service]\nnonsense = 1\n")
        served.process.send_signal(signal.SIGHUP)
        served.wait_for("worker.failed")
        served.get("/")
    code, said = refused(hub, "--port", "0")
    assert code == 2
    assert "[hub-settings]" in said


def test_the_start_line_has_the_prefix(hub: Hub) -> None:
    with ServedHub(hub.root, "--prefix", "/lockgate") as served:
        assert served.url.endswith("/lockgate")
        assert "<" in served.get("/")


def test_tls_by_certificate_files(hub: Hub, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    cert, key = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    with ServedHub(hub.root, "--tls-cert", cert, "--tls-key", key) as served:
        trust = ssl.create_default_context(cafile=cert)
        with urllib.request.urlopen(served.url + "/", context=trust) as answer:
            assert answer.status == 200
        assert served.url.startswith("https://127.0.0.1:")


@pytest.mark.skipif(
    sys.platform != "linux", reason="NOT TESTED: a container's first process: only Linux has subreapers"
)
def test_in_a_container_it_ends_what_others_left(hub: Hub) -> None:
    # A subreaper is given orphans as a container's first process is, see prctl(2)
    program = "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1); os.execvp(sys.argv[1], sys.argv[1:])"
    with ServedHub(hub.root, worker=SLOW, wrapper=[sys.executable, "-c", program]) as served:
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
        worker = served.get("/pid")
        served.get("/orphan")
        until(lambda: children.read_text().split() == [worker], "only the worker is left")


def test_what_was_queued_before_the_start_is_taken_up(hub: Hub) -> None:
    admit(hub, "p")
    index = Index(hub.index)
    repository = hub.repository("p")
    tree = git(repository, "hash-object", "-t", "tree", "-w", "--stdin").decode().strip()
    commit = git(repository, "commit-tree", "-m", "nothing", tree).decode().strip()
    asked = Request(id="01KBA00000000000000000000A", project="p", ref="x", commit=commit, member="ada")
    index.add_run(asked, "received", 0.0)
    index.queue_run(asked.id)
    with ServedHub(hub.root, env={"LOCKGATE_LINGER_S": "0"}):
        until(lambda: not index.unfinished(), "the dispatcher is at work")
    index.close()


def test_systemd_hands_over_the_socket_and_is_told(hub: Hub, tmp_path: Path) -> None:
    program = (
        "import os, socket, sys\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "os.dup2(s.fileno(), 3, inheritable=True) if s.fileno() != 3 else s.set_inheritable(True)\n"
        "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}\n"
        "print(s.getsockname()[1], flush=True); os.execvp(sys.argv[1], sys.argv[1:])\n"
    )
    name = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(name)
        told.settimeout(30)
        wrapper = [sys.executable, "-c", program]
        with ServedHub(hub.root, wrapper=wrapper, env={"NOTIFY_SOCKET": name}) as served:
            port = served.log_path.read_text().splitlines()[0]
            assert served.url == f"http://127.0.0.1:{port}"
            assert b"READY=1" in told.recv(4096)
            served.process.send_signal(signal.SIGHUP)
            assert b"RELOADING=1\nMONOTONIC_USEC=" in told.recv(4096)
            assert b"READY=1" in told.recv(4096)
            os.kill(served.process.pid, signal.SIGTERM)
            assert told.recv(4096) == b"STOPPING=1"
            assert served.process.wait(20) == 0
