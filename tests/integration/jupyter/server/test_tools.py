"""Tools of a project behind a Jupyter server: nothing starts before it is confirmed, nothing outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPResponse

Fetch = Callable[..., Awaitable[HTTPResponse]]

#: Answers with what it was asked, and by which process; `/crash` ends it.
SERVE = """\
import http.server, json, os, pathlib, sys
pathlib.Path("started").open("a").write("x")
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        told = {"path": self.path, "pid": os.getpid(), "cwd": os.getcwd(), "headers": dict(self.headers)}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    do_POST = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""
NOTES = [sys.executable, "serve.py", "{port}"]
ADDRESS = "team~1flights/notes/"


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    extensions = {"jpserver_extensions": {"lockgate.jupyter": True}}
    return {"ServerApp": extensions, "IdentityProvider": {"cookie_name": "login-here"}}


@pytest.fixture
def browse(http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]) -> Fetch:
    """Ask with a path as it is written, which `jp_fetch` would encode once more."""

    async def ask(path: str, headers: dict[str, str] | None = None, **more: Any) -> HTTPResponse:
        headers = jp_auth_header | (headers or {})
        answer: HTTPResponse = await http_server_client.fetch(
            f"{jp_base_url}lockgate/tools/{path}", headers=headers, follow_redirects=False, **more
        )
        return answer

    return ask


@pytest.fixture
def project(jp_root_dir: Path) -> Path:
    return declared(jp_root_dir / "team" / "flights", NOTES)


def declared(folder: Path, command: list[str]) -> Path:
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        (folder / "serve.py").write_text(SERVE)
    (folder / "lockgate.toml").write_text(
        f"[stages.s]\nrun = 'true'\n\n[tools.notes]\ncommand = {json.dumps(command)}\n"
    )
    return folder


async def shown(fetch: Fetch, path: str = "team/flights") -> Any:
    return json.loads((await fetch("lockgate", "api", "tools", params={"path": path})).body)


async def confirm(fetch: Fetch, digest: str) -> HTTPResponse:
    body = json.dumps({"path": "team/flights", "name": "notes", "digest": digest})
    return await fetch("lockgate", "api", "tools", method="POST", body=body)


async def refused(answer: Awaitable[HTTPResponse]) -> tuple[int, str]:
    with pytest.raises(HTTPClientError) as caught:
        await answer
    assert caught.value.response is not None
    return caught.value.code, caught.value.response.body.decode()


async def told(answer: Awaitable[HTTPResponse]) -> Any:
    return json.loads((await answer).body)


async def test_a_tool_starts_when_it_is_confirmed_and_ends_with_the_server(
    jp_fetch: Fetch, browse: Fetch, jp_serverapp: Any, jp_data_dir: Path, jp_base_url: str, project: Path
) -> None:
    listed = await shown(jp_fetch, "team/flights/serve.py")
    (tool,) = listed["tools"]
    assert tool["command"] == shlex.join(NOTES) and not tool["is_confirmed"]
    assert (tool["title"], tool["line"], listed["project"]) == ("notes", 5, str(project))
    assert tool["address"] == f"lockgate/tools/{ADDRESS}"
    asking: list[dict[str, Any]] = [
        {},
        {"method": "POST", "body": ""},
        {"headers": {"Upgrade": "websocket", "Connection": "Upgrade"}},
    ]
    for more in asking:
        code, words = await refused(browse(ADDRESS, **more))
        assert code == 403 and "Nobody has confirmed" in words and "tool-unconfirmed" in words
    assert not (project / "started").exists()

    await confirm(jp_fetch, tool["digest"])
    (kept,) = (jp_data_dir / "lockgate/tools").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(kept.read_bytes()) == {"project": str(project), "command": NOTES}
    assert (await shown(jp_fetch))["tools"][0]["is_confirmed"]

    cookies = {"Cookie": "username-x=1; login-here=2; jupyterhub-user-a=3; mine=4"}
    # A page asks for many things at once, and the first of them start it
    asked = [told(browse(f"{ADDRESS}a%20b/c%2Fd?q=1%202", cookies)) for _ in range(3)]
    first = (await asyncio.gather(*asked))[0]
    assert (first["path"], first["cwd"]) == ("/a%20b/c%2Fd?q=1%202", str(project))
    assert first["headers"]["Cookie"] == "username-x=1; mine=4" and "Authorization" not in first["headers"]
    assert first["headers"]["X-Forwarded-Prefix"] == f"{jp_base_url}lockgate/tools/team~1flights/notes"
    token = jp_serverapp.identity_provider.token
    assert (await told(browse(f"{ADDRESS}?token={token}&q=1")))["path"] == "/?q=1"
    assert (await told(browse(ADDRESS, method="POST", body="x")))["pid"] == first["pid"]
    assert (await refused(browse(ADDRESS.rstrip("/"))))[0] == 302
    assert (project / "started").read_text() == "x"

    assert (await refused(browse(f"{ADDRESS}crash")))[0] == 599
    while is_alive(first["pid"]):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    again = await told(browse(ADDRESS))
    assert again["pid"] != first["pid"]
    await jp_serverapp.extension_manager.stop_all_extensions()
    assert not is_alive(again["pid"])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_another_command_is_asked_for_again_and_ends_the_one_before(
    jp_fetch: Fetch, browse: Fetch, project: Path
) -> None:
    first = (await shown(jp_fetch))["tools"][0]
    await confirm(jp_fetch, first["digest"])
    pid = (await told(browse(ADDRESS)))["pid"]
    declared(project, [*NOTES, "{base_url}"])
    code, words = await refused(browse(ADDRESS))
    assert code == 403 and "tool-unconfirmed" in words
    code, words = await refused(confirm(jp_fetch, first["digest"]))
    assert code == 400 and json.loads(words)["code"] == "tool-changed"
    second = (await shown(jp_fetch))["tools"][0]
    assert second["digest"] != first["digest"] and not second["is_confirmed"]
    await confirm(jp_fetch, second["digest"])
    assert (await told(browse(f"{ADDRESS}x")))["path"].endswith(f"/lockgate/tools/{ADDRESS}x")
    assert not is_alive(pid)


async def test_the_same_command_in_another_folder_is_another(
    jp_fetch: Fetch, browse: Fetch, jp_root_dir: Path, project: Path
) -> None:
    await confirm(jp_fetch, (await shown(jp_fetch))["tools"][0]["digest"])
    declared(jp_root_dir / "other", NOTES)
    assert not (await shown(jp_fetch, "other"))["tools"][0]["is_confirmed"]
    assert (await refused(browse("other/notes/")))[0] == 403


async def test_nobody_confirms_or_starts_anything_from_another_page(
    jp_fetch: Fetch, http_server_client: Any, jp_base_url: str, jp_data_dir: Path, project: Path
) -> None:
    tool = (await shown(jp_fetch))["tools"][0]
    body = json.dumps({"path": "team/flights", "name": "notes", "digest": tool["digest"]})
    for path, more in (
        ("lockgate/api/tools", {"method": "POST", "body": body}),
        (tool["address"], {}),
        (tool["address"], {"method": "POST", "body": ""}),
    ):
        url = f"{jp_base_url}{path}"
        code, _ = await refused(http_server_client.fetch(url, follow_redirects=False, **more))
        assert code in (302, 403), path
    assert not (jp_data_dir / "lockgate/tools").exists() and not (project / "started").exists()


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        (["no-such-program", "{port}"], 400, "tool-absent"),
        (["./serve.py", "{port}"], 400, "tool-absent"),
        ([sys.executable, "-c", "raise SystemExit('no <room>')", "{port}"], 502, "tool-failed"),
    ],
    ids=["absent", "not-executable", "ends"],
)
async def test_what_cannot_be_started_is_told_in_words(
    jp_fetch: Fetch, browse: Fetch, project: Path, command: list[str], status: int, code: str
) -> None:
    declared(project, command)
    await confirm(jp_fetch, (await shown(jp_fetch))["tools"][0]["digest"])
    answered, words = await refused(browse(ADDRESS))
    assert answered == status and f"<code>{code}</code>" in words
    assert code == "tool-absent" or ("exit code 1" in words and "no &lt;room&gt;" in words)


async def test_only_tools_of_projects_below_the_server_are_found(
    jp_fetch: Fetch, browse: Fetch, jp_root_dir: Path, project: Path, tmp_path: Path
) -> None:
    outside = declared(tmp_path / "outside", NOTES)
    (jp_root_dir / "plain").mkdir()
    assert (await shown(jp_fetch, "plain"))["tools"] == []
    up = "..~1" * (len(jp_root_dir.relative_to(tmp_path).parts))
    for path in (
        f"{up}outside/notes/",
        f"{up.replace('~1', '%2F')}outside/notes/",
        f"{outside}/notes/".replace("/", "%2F", 1),
        "team/notes/",
        "~/notes/",
        "team~1flights~1deeper/notes/",
        "team~1flights/other/",
        "team~1flights/%2e%2e/",
        "team~1flights/no%C3%A9tes%0A/",
    ):
        assert (await refused(browse(path)))[0] == 404, path
    (project / "lockgate.toml").write_text("[tools.notes]\ncommand = '{port}'\n")
    code, words = await refused(jp_fetch("lockgate", "api", "tools", params={"path": "team/flights"}))
    assert code == 400 and json.loads(words)["code"] == "manifest-invalid"


async def test_without_the_proxy_there_is_nothing_and_why(
    monkeypatch: pytest.MonkeyPatch, jp_fetch: Fetch, project: Path
) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_server_proxy", None)
    listed = await shown(jp_fetch)
    assert listed["tools"] == [] and "jupyter-server-proxy is not installed" in listed["why_none"]
