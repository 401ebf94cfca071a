"""A hub below a path of a site that a real nginx serves, set as deploy/nginx says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pushing_team import MANIFEST, add_members, make_project
from served_hub import ServedHub

from lockgate.hub.directory import Hub, create_hub

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIG = Path(__file__).resolve().parents[3] / "deploy" / "nginx" / "lockgate.conf"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="NOT TESTED: behind nginx (it is not installed)"),
]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = create_hub(tmp_path / "hub")[0]
    make_project(made)
    return made


@pytest.fixture
def site(hub: Hub, tmp_path: Path) -> Iterator[str]:
    """The address of the hub through nginx."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}/lockgate"
    (hub.root / "hub.toml").write_text(f'[service]\npublic_url = "{url}"\nis_behind_proxy = true\n')
    with ServedHub(hub.root, env={"LOCKGATE_LINGER_S": "0"}) as served:
        assert served.url == url
        backend = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=False).stdout
        own = next(line.split()[3] for line in backend.splitlines() if f"pid={served.process.pid}," in line)
        folder = tmp_path / "nginx"
        folder.mkdir()
        location = CONFIG.read_text().replace("127.0.0.1:8321", own)
        (folder / "nginx.conf").write_text(
            f"pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 1;\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + "events {}\nhttp {\n access_log off;\n"
            + "".join(
                f" {kind}_temp_path {folder}/{kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f" server {{\n listen 127.0.0.1:{port};\n{location} }}\n}}\n"
        )
        assert NGINX is not None
        with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
            try:
                end = time.monotonic() + 30
                while True:
                    with socket.socket() as probe:
                        if probe.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    assert process.poll() is None, (folder / "error.log").read_text()
                    assert time.monotonic() < end
                    time.sleep(0.02)
                yield url
            finally:
                process.terminate()


def test_a_push_and_a_page_through_nginx(hub: Hub, site: str, tmp_path: Path) -> None:
    secret = add_members(hub, ("ada",))["ada"]
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "lockgate.toml").write_text(MANIFEST)
    (tree / "i").write_text("one\n")
    # Larger than what git, or nginx, would keep in one piece
    (tree / "large").write_bytes(os.urandom(20_000_000))
    url = site.replace("http://", f"http://ada:{secret}@") + "/git/p.git"
    script = "git init -q && git add . && git commit -q -m first && git push -o wait $0 HEAD:refs/heads/ada"
    done = subprocess.run(
        ["sh", "-c", script, url], cwd=tree, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCEEDED" in done.stderr
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", "ada", url, str(tmp_path / "clone")]
    subprocess.run(clone, check=True, timeout=110)
    assert (tmp_path / "clone" / "o").read_text() == "one\n"
    asked = urllib.request.Request(site + "/", headers={"accept": "text/html"})
    try:
        answer = urllib.request.urlopen(asked, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error  # the page that asks who one is
    with answer:
        page = answer.read().decode()
        assert answer.headers["x-request-id"]
    for link in (part.split('"')[0] for part in page.split('href="/')[1:]):
        assert link.startswith("lockgate/"), "every address has the prefix"
    style = next(part.split('"')[0] for part in page.split('href="')[1:] if ".css" in part.split('"')[0])
    with urllib.request.urlopen(site.removesuffix("/lockgate") + style, timeout=30) as answer:
        assert answer.status == 200
