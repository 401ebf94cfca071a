"""Git over HTTP, with the real git against the real service."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_site import PASSWORD, Site, served

from lockgate.hub.indexing.index import Index


def until(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s in vain: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("team")) as site:
        site.project()
        site.project("secret", has_run=False)
        site.member("lea", "lead")
        site.member("max")
        site.member("vera", "viewer")
        site.member("olga", None)
        site.start()
        yield site


def refused(site: Site, folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, env=site.env, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode != 0, said
    return said


def clone(site: Site, folder: Path, name: str = "max", *options: str) -> Path:
    site.git(folder, "clone", "--quiet", *options, site.git_url("flights", name, PASSWORD), name)
    return folder / name


def test_a_push_runs_and_tells_of_it_while_it_does(team: Site, tmp_path: Path) -> None:
    tree = clone(team, tmp_path)
    (tree / "flights.csv").write_text("carrier,delay\nAA,3\nZZ,9\n")
    text = (tree / "count.py").read_text()
    (tree / "count.py").write_text("import time; time.sleep(1.5)\n" + text)
    team.git(tree, "commit", "--quiet", "-am", "Fewer flights")
    told: list[tuple[float, str]] = []
    with subprocess.Popen(
        ["git", "push", "-o", "wait", "origin", "main"], cwd=tree, env=team.env, stderr=subprocess.PIPE
    ) as push:
        assert push.stderr is not None
        for line in push.stderr:
            told.append((time.monotonic(), line.decode()))
    assert push.returncode == 0, told
    receipt = next(at for at, line in told if " run " in line)
    end = next(at for at, line in told if "done" in line)
    assert end - receipt > 1.0, told  # it came when it was said, not at the end
    newest = team.runs()[0]
    assert (newest.state, newest.request.member) == ("succeeded", "max")
    team.git(tree, "pull", "--quiet", "--ff-only")
    assert "ZZ" in (tree / "counts.csv").read_text()


def test_shallow_and_partial_clones(team: Site, tmp_path: Path) -> None:
    shallow = clone(team, tmp_path, "max", "--depth=1")
    assert team.git(shallow, "rev-list", "--count", "HEAD").strip() == "1"
    partial = clone(team, tmp_path, "lea", "--filter=blob:none", "--no-checkout")
    assert "?" in team.git(partial, "rev-list", "--objects", "--missing=print", "HEAD")
    team.git(partial, "checkout", "--quiet", "main")
    assert (partial / "count.py").exists()


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_each_version_of_the_protocol(team: Site, tmp_path: Path, version: str) -> None:
    url = team.git_url("flights", "max", PASSWORD)
    trace = team.git(
        tmp_path, "-c", f"protocol.version={version}", "ls-remote", url, env={"GIT_TRACE_PACKET": "1"}
    )
    assert "refs/heads/main" in trace
    assert ("version 2" in trace) == (version == "2")


def test_what_is_hidden_stays_hidden(team: Site, tmp_path: Path) -> None:
    repository = team.hub.repository("flights")
    team.git(repository, "update-ref", "refs/lockgate/queue/HIDDEN", "refs/heads/main")
    listed = team.git(tmp_path, "ls-remote", team.git_url("flights", "max", PASSWORD))
    team.git(repository, "update-ref", "-d", "refs/lockgate/queue/HIDDEN")
    assert "refs/lockgate/activity" in listed
    assert "refs/lockgate/queue" not in listed


def test_who_may_not_is_told_why(team: Site, tmp_path: Path) -> None:
    tree = clone(team, tmp_path, "vera")
    (tree / "x").write_text("x")
    team.git(tree, "add", "x")
    team.git(tree, "commit", "--quiet", "-m", "x")
    said = refused(team, tree, "push", "origin", "main")
    assert "vera may not push to flights" in said
    said = refused(team, tmp_path, "clone", team.git_url("flights", "olga", PASSWORD), "olga")
    assert "no project flights" in said
    absent = refused(team, tmp_path, "clone", team.git_url("absent", "olga", PASSWORD), "absent")
    assert "no project absent" in absent


def test_nobody_is_asked_who_they_are(team: Site, tmp_path: Path) -> None:
    assert "could not read Username" in refused(team, tmp_path, "clone", team.git_url(), "x")
    with team.client() as client:
        for path in ("flights", "absent"):  # what is there is not told
            answer = client.get(f"/git/{path}.git/info/refs?service=git-upload-pack")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_token_serves_as_password_and_never_stands_in_the_log(team: Site, tmp_path: Path) -> None:
    token = team.member("tom", scope="read")
    url = team.git_url("flights", "tom", token)
    team.git(tmp_path, "clone", "--quiet", url, "tom")
    tree = tmp_path / "tom"
    said = refused(team, tree, "push", "--force", "origin", "main:refs/heads/new")
    assert "token of tom" in said
    assert token not in team.log.read_text()
    assert PASSWORD not in team.log.read_text()


@pytest.mark.parametrize(
    "path",
    [
        "/git/../hub/flights.git/info/refs?service=git-upload-pack",
        "/git/..%2f..%2fetc.git/info/refs?service=git-upload-pack",
        "/git/a..b.git/info/refs?service=git-upload-pack",
        "/git/flights.git/HEAD",
        "/git/flights.git/objects/info/packs",
        "/git/flights.git/config",
        "/git/flights.git/info/refs",
        "/git/flights.git/info/refs?service=git-upload-archive",
        "/git/flights.git//info/refs?service=git-upload-pack",
        "/git/flights.git/hooks/pre-receive",
    ],
)
def test_no_other_path_leads_anywhere(team: Site, path: str) -> None:
    with socket.create_connection(("127.0.0.1", team.port)) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in (b"400", b"404"), answer


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ({}, b"0000", 200),
        ({"content-encoding": "gzip"}, gzip.compress(b"0000", mtime=0), 200),
        ({"content-type": "text/plain"}, b"0000", 415),
        ({}, b"no packet at all", 502),
    ],
)
def test_a_push_is_of_the_form_that_git_has(
    team: Site, head: dict[str, str], body: bytes, status: int
) -> None:
    kind = {"content-type": "application/x-git-receive-pack-request"}
    with team.client(auth=("lea", PASSWORD)) as client:
        answer = client.post("/git/flights.git/git-receive-pack", content=body, headers=kind | head)
    assert answer.status_code == status, answer.text


def test_a_body_may_be_gzipped_and_chunked(team: Site) -> None:
    def packet(line: str) -> bytes:
        return f"{len(line) + 4:04x}{line}".encode()

    body = packet("command=ls-refs\n") + b"0001" + packet("ref-prefix refs/heads/\n") + b"0000"

    def pieces() -> Iterator[bytes]:
        whole = gzip.compress(body)
        for at in range(0, len(whole), 7):
            yield whole[at : at + 7]

    with team.client(auth=("max", PASSWORD)) as client:
        answer = client.post(
            "/git/flights.git/git-upload-pack",
            content=pieces(),
            headers={
                "content-type": "application/x-git-upload-pack-request",
                "content-encoding": "gzip",
                "git-protocol": "version=2",
            },
        )
    assert answer.status_code == 200
    assert b"refs/heads/main" in answer.content


def test_slow_clients_do_not_hold_up_others_and_a_gone_one_ends_its_program(team: Site) -> None:
    slow = []
    for _ in range(30):
        raw = socket.create_connection(("127.0.0.1", team.port))
        raw.sendall(
            b"POST /git/flights.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Basic bWF4OnNldmVuIGJhcmdlcyBiZWxvdyB0aGUgd2Vpcg==\r\n"
            b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000000\r\n\r\n00"
        )
        slow.append(raw)
    until(lambda: len(children(team.pid)) >= 30, "a program for each of the slow ones")
    started = time.monotonic()
    with team.client() as client:
        assert client.get("/nothing").status_code in (401, 404)
    assert time.monotonic() - started < 2
    for raw in slow:
        raw.close()
    until(lambda: not children(team.pid), "their programs are gone")


def children(pid: int) -> list[int]:
    """Return the programs of pushes under a worker: its own, and those that its hook server has begun."""
    servers = hook_servers(pid)
    hooks = [child for server in servers for child in children(server)]
    return [each for each in below(pid) if each not in servers] + hooks


def hook_servers(pid: int) -> list[int]:
    return [each for each in below(pid) if b"lockgate.hub.pushing.hookserver" in command(each)]


def below(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def peak_mb(pid: int) -> float:
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


@pytest.mark.slow
def test_a_large_push_is_not_held_in_memory(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        site.project(has_run=False)
        site.start()
        with site.client() as client:
            client.get("/")
        before = peak_mb(site.pid)
        tree = tmp_path / "flights"
        for part in ("one.bin", "two.bin"):
            (tree / part).write_bytes(os.urandom(60_000_000))
        (tree / ".gitattributes").write_text("*.bin -delta\n")
        site.git(tree, "-c", "core.compression=0", "add", ".")
        site.git(tree, "commit", "--quiet", "-m", "Large")
        site.git(tree, "-c", "core.compression=0", "push", "-o", "skip", site.git_url(), "main:large")
        assert peak_mb(site.pid) - before < 40
        assert [peak_mb(each) < 60 for each in hook_servers(site.pid)] == [True]
        objects = site.hub.repository("flights") / "objects"
        assert len(list(objects.glob("pack/*.pack"))) == 1, "what is large stays the pack it came as"
        site.git(tmp_path, "clone", "--quiet", "--branch", "large", site.git_url(), "again")
        assert peak_mb(site.pid) - before < 40


def test_a_hub_without_members_answers_its_own_host_only(site: Site, tmp_path: Path) -> None:
    site.git(tmp_path, "clone", "--quiet", site.git_url(), "mine")
    with site.client() as client:
        path = "/git/flights.git/info/refs?service=git-upload-pack"
        for host in ("hub.example.org", "127.0.0.1.example.org", "a@localhost.example.org", ""):
            assert client.get(path, headers={"host": host}).status_code in (400, 403)


def test_passwords_cannot_be_guessed_at_leisure(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        site.project(has_run=False)
        site.member("max")
        site.start()
        statuses: list[int] = []

        def guess(number: int) -> None:
            with site.client(auth=("max", f"wrong {number}")) as client:
                statuses.append(client.get("/git/flights.git/info/refs?service=git-upload-pack").status_code)

        guessers = [threading.Thread(target=guess, args=(number,)) for number in range(20)]
        for each in guessers:
            each.start()
        for each in guessers:
            each.join()
        assert statuses.count(401) <= 7
        assert statuses.count(429) >= 13


def test_a_killed_push_leaves_nothing_half(team: Site, tmp_path: Path) -> None:
    tree = clone(team, tmp_path, "lea")
    (tree / "count.py").write_text("import time; time.sleep(60)\n")
    team.git(tree, "commit", "--quiet", "-am", "Slow")
    with subprocess.Popen(
        ["git", "push", "-o", "wait", "origin", "main:slow"],
        cwd=tree,
        env=team.env,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as push:
        until(lambda: team.runs()[0].state == "running", "the run has begun")
        os.killpg(push.pid, signal.SIGKILL)
        push.communicate()
    until(lambda: not children(team.pid), "the push's programs are gone")
    with contextlib.closing(Index(team.hub.index)) as index:
        row = team.runs()[0]
        assert row.ended_at is None
        index.request_cancel(row.request.id, "the test")
    until(lambda: team.runs()[0].ended_at is not None, "the run was cancelled")
