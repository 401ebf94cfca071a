"""What nobody sends who means well."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from web_site import PROJECT, Site, served

EVIL = {
    "lockgate.toml": """\
[stages.evil]
run = "python3 evil.py"
needs = ["evil.py"]
makes = ["page.html", "drawing.svg", "program.js", "données \\"x\\".bin", "style.css", "folder"]
""",
    "evil.py": """\
import os
open("page.html", "w").write("<script>fetch('/api/v1/tokens')</script>")
open("drawing.svg", "w").write("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
open("program.js", "w").write("alert(1)")
open("style.css", "w").write("*{}")
open('données "x".bin', "wb").write(bytes(range(256)))
os.mkdir("folder"); open("folder/in.html", "w").write("<script>1</script>")
""",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("hostile")) as site:
        site.project("evil", EVIL)
        site.project("other", PROJECT)
        (site.folder / "hub.toml").write_text("[service]\nbody_limit_bytes = 100000\n")
        site.start()
        yield site


@pytest.fixture(scope="module")
def token(hub: Site) -> str:
    return hub.member("max", project="evil")


@pytest.fixture
def client(hub: Site, token: str) -> Iterator[httpx.Client]:
    with hub.client(headers={"authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["page.html", "drawing.svg", "program.js", "style.css", 'données "x".bin', "folder/in.html"]
)
def test_a_members_file_acts_on_nothing(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/v1/projects/evil/runs/latest/artifacts/{path}")
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    is_shown = path.endswith((".html", ".svg"))
    assert answer.headers["content-disposition"].startswith("inline" if is_shown else "attachment")
    assert "\n" not in answer.headers["content-disposition"]


def test_another_projects_runs_are_not_there(hub: Site, client: httpx.Client) -> None:
    other = hub.runs("other")[0].request.id
    for path in (
        f"runs/{other}",
        f"runs/{other}/artifacts",
        f"runs/{other}/artifacts/counts.csv",
        f"runs/{other}/logs?stage=count",
        f"runs/{other}/events",
        f"runs/{other}/logs/stream?stage=count",
        f"runs/{other}/pieces",
        f"runs/latest/compare/{other}",
        f"runs/{other}/why?path=counts.csv",
    ):
        for project in ("evil", "other"):
            answer = client.get(f"/api/v1/projects/{project}/{path}")
            assert answer.status_code == 404, (project, path, answer.text)
    for verb in ("cancel", "again"):
        assert client.post(f"/api/v1/projects/evil/runs/{other}/{verb}").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/projects/../../hub.json",
        "/api/v1/projects/%2e%2e/runs",
        "/api/v1/projects/..%2fother/runs/latest",
        "/api/v1/projects/evil%00/runs/latest",
        "/api/v1/projects/evil/runs/%00",
        "/api/v1/projects/evil/runs/%ff%fe",
        "/api/v1/projects/evil/runs/*",
        "/api/v1/projects/evil/runs/latest/artifacts/..%2f..%2f..%2fhub.json",
        "/api/v1/projects/evil/runs/latest/artifacts/%2e%2e/%2e%2e/key",
        "/api/v1/projects/evil/runs/latest/artifacts/page.html%00.png",
        "/api/v1/projects/evil/objects/..%2f..%2fkey",
        "/api/v1/projects/evil/runs/latest/logs?stage=..%2f..%2fkey",
        "/static/../worker.py",
        "/static/%2e%2e/worker.py",
        "/static/..%5cworker.py",
        "//evil.example/%2e%2e",
        "/p/evil/artifacts/latest/..%2f..%2fhub.json",
    ],
)
def test_no_path_leads_out(hub: Site, token: str, target: str) -> None:
    status, body = raw(hub, f"GET {target} HTTP/1.1", f"Authorization: Bearer {token}")
    assert status in (303, 400, 401, 404, 405), (status, body)
    assert b"lockgate_hub" not in body
    assert b"PRIVATE KEY" not in body


def test_headers_cannot_be_smuggled_in(hub: Site, token: str) -> None:
    for target in ("/login?next=%0d%0aset-cookie:%20a=b", "/api/v1/projects/%0d%0ax-evil:%201"):
        status, body = raw(hub, f"GET {target} HTTP/1.1", f"Authorization: Bearer {token}")
        head = body.partition(b"\r\n\r\n")[0].lower()
        assert status < 500
        assert b"\r\nset-cookie: a=b" not in head
        assert b"\r\nx-evil" not in head


@pytest.mark.parametrize(
    "lines",
    [
        ["GET / HTTP/1.1", "Host: a", "Host: b"],
        ["GET / HTTP/1.1", "X: " + "a" * 200_000],
        ["POST /api/v1/tokens HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"],
        ["POST /api/v1/tokens HTTP/1.1", "Content-Length: -1"],
        ["BREW / HTTP/1.1"],
        ["GET / HTTP/9.9"],
        ["\0\0\0\0"],
        ["GET /\x80\xff HTTP/1.1"],
        ["GET / HTTP/1.1", "Authorization: Basic !!!!"],
        ["GET / HTTP/1.1", "Authorization: Basic /////w=="],
        ["GET / HTTP/1.1", "Authorization: Bearer \x80\xff"],
        ["GET / HTTP/1.1", "Authorization: Digest x"],
        ["GET / HTTP/1.1", "Cookie: lockgate_session=\x80\xff; lockgate_visit="],
    ],
)
def test_what_is_no_http_is_refused_and_harms_nobody(hub: Site, lines: list[str]) -> None:
    status, body = raw(hub, *lines)
    assert status < 500, body
    assert raw(hub, "GET /login HTTP/1.1")[0] == 200


def test_bodies_have_a_limit(client: httpx.Client) -> None:
    kind = {"content-type": "application/json"}
    large = client.post("/api/v1/tokens", content=b"[" * 200_000, headers=kind)
    assert large.status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    assert client.post("/api/v1/tokens", content=endless()).status_code in (400, 413)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 50_000,
        b"\xff\xfe",
        b'{"name": 1}',
        b'{"name": "x", "more": 1}',
        b"null",
        b'{"name": "\\ud800"}',
    ],
)
def test_bodies_are_read_strictly(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/api/v1/tokens", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}


def test_parameters_of_a_run_cannot_become_options(client: httpx.Client) -> None:
    for body in (
        {"commit": "main", "params": {"a\nskip": "1"}},
        {"commit": "main", "params": {"": "1"}},
        {"commit": "main", "params": {"a=b": "1"}},
        {"commit": "main", "backend": "local\nwait"},
        {"commit": "main", "only": ["x\0y"]},
        {"commit": "--upload-pack=touch /tmp/x"},
        {"commit": "-h"},
        {"commit": "refs/lockgate/activity"},
        {"commit": "main\nskip"},
        {"commit": ""},
        {"commit": "main:evil.py"},
    ):
        answer = client.post("/api/v1/projects/evil/runs", json=body)
        assert answer.status_code in (400, 404), (body, answer.text)
    for branch in ("--force", "a b", "../x", "refs/lockgate/x\n", "x.lock", "", "@{u}"):
        body = {"branch": branch, "state": "latest"}
        assert client.post("/api/v1/projects/evil/branches", json=body).status_code in (400, 404)


def test_secrets_stand_in_no_log(hub: Site, token: str, client: httpx.Client) -> None:
    client.get("/api/v1/me")
    raw(hub, f"GET /api/v1/me?token={token} HTTP/1.1")
    text = hub.log.read_text()
    assert "/api/v1/me" in text
    assert token not in text
    for line in text.splitlines():
        json.loads(line)


def raw(hub: Site, *lines: str) -> tuple[int, bytes]:
    """Send a request as it is written; return the status (0: none) and all that came back."""
    with socket.create_connection(("127.0.0.1", hub.port), 20) as connection:
        head = [*lines, "Connection: close"]
        if not any(line.lower().startswith("host:") for line in lines):
            head.insert(1, "Host: localhost")
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        got = b""
        try:
            while piece := connection.recv(1 << 16):
                got += piece
        except (ConnectionError, TimeoutError):
            pass
    words = got.split(None, 2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), got


def test_a_hub_without_members_is_nobodys_by_another_name(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        site.project(has_run=False)
        site.start()
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1@evil.example"):
            assert raw(site, "GET /api/v1/projects HTTP/1.1", f"Host: {host}")[0] in (400, 403)
        assert raw(site, "GET /api/v1/projects HTTP/1.1", f"Host: localhost:{site.port}")[0] == 200
        with site.client() as client:
            crossing = {"origin": "https://evil.example"}
            assert client.post("/api/v1/projects", json={"name": "x"}, headers=crossing).status_code == 403
            assert client.post("/api/v1/projects", json={"name": "x"}).status_code == 201


@pytest.mark.slow
def test_who_opens_a_connection_and_says_nothing_is_let_go(hub: Site) -> None:
    starts = [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "]
    connections = [socket.create_connection(("127.0.0.1", hub.port), 5) for _ in starts]
    for connection, start in zip(connections, starts, strict=True):
        connection.sendall(start)
    for connection in connections:
        connection.settimeout(40)
        assert connection.recv(100) == b""
        connection.close()
