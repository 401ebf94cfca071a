"""A real JupyterHub on loopback, set as the how-to page says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from lab_environment import ROOT, lab_environment
from node_packages import node_packages

_PAGE = ROOT / "docs/how-to/jupyterhub.md"
_UP_S = 90.0
#: What the page leaves to the operator: where it runs, and who it spawns for. One Unix user, for tests alone.
_OF_TESTS = """
c.JupyterHub.bind_url = {bind!r}
c.JupyterHub.hub_bind_url = {hub_bind!r}
c.JupyterHub.db_url = "sqlite://"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.api_url = {api!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [*c.Spawner.args, "--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {environment!r}
c.Authenticator.auth_refresh_age = 1
"""


class JupyterHub:
    """A running one; `log` is what it and the servers it spawned printed."""

    def __init__(self, url: str, homes: Path, log: Path) -> None:
        self.url = url
        self.homes = homes
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")


def block(title: str) -> str:
    """Return a block of the page as a reader copies it."""
    found = re.search(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', _PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None, title
    return found[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def jupyterhub(home: Path, port: int, settings: str, environment: Mapping[str, str]) -> Iterator[JupyterHub]:
    """Run JupyterHub at this port; `settings` is its configuration, up to where it runs."""
    modules = node_packages(Path(__file__).parent / "jupyterhub_proxy", "JupyterHub's proxy")
    programs, needed = lab_environment()
    homes = home / "homes"
    homes.mkdir(parents=True)
    labconfig = home / "settings/labconfig"
    labconfig.mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (labconfig / "page_config.json").write_text(json.dumps(off))
    seen = {"@lockgate/jupyterlab:plugin": {"offerTour": False}}
    (labconfig / "default_setting_overrides.json").write_text(json.dumps(seen))
    spawned = needed | {"JUPYTER_CONFIG_PATH": f"{home / 'settings'}:{needed['JUPYTER_CONFIG_PATH']}"}
    proxy = modules / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    file = home / "jupyterhub_config.py"
    file.write_text(
        settings
        + _OF_TESTS.format(
            bind=f"http://127.0.0.1:{port}",
            hub_bind=f"http://127.0.0.1:{free_port()}",
            proxy=["node", str(proxy)],
            api=f"http://127.0.0.1:{free_port()}",
            home=str(homes),
            python=str(programs / "python"),
            environment=spawned,
        )
    )
    own = {"JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32), **environment}
    log = home / "jupyterhub.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [str(programs / "python"), "-m", "jupyterhub", "-f", str(file)],
            env=dict(os.environ) | needed | own,
            cwd=home,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    made = JupyterHub(f"http://127.0.0.1:{port}", homes, log)
    try:
        _wait(made, process)
        yield made
    finally:
        # Servers and kernels lie in sessions of their own, and outlive who started them
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def _wait(made: JupyterHub, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _UP_S
    while True:
        assert process.poll() is None, made.log[-4000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{made.url}/hub/api", timeout=2):
            return
        assert time.monotonic() < end, made.log[-4000:]
        time.sleep(0.1)
