"""A JupyterLab server in a folder, and somebody before it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab_environment import lab_environment
from playwright.sync_api import Browser, Locator, Page
from web_browser import Seat, seat

TOKEN = "a-token-of-tests"
_UP_S = 60.0
#: What of jupyter-collaboration is in the page.
_SHARING = (
    "@jupyter/collaboration-extension",
    "@jupyter/docprovider-extension",
)


class Lab:
    """A running server; `log` is what it printed."""

    def __init__(self, url: str, root: Path, log: Path) -> None:
        self.url = url
        self.root = root
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    @contextlib.contextmanager
    def open(
        self, browser: Browser, path: str = "", scheme: str = "light", width: int = 1280
    ) -> Iterator[Bench]:
        """Open a file, or the folder, in a browser of its own, and wait until the kernel is there."""
        with seat(browser, self.url, scheme, width) as made:
            tree = f"/lab/tree/{path}" if path else "/lab"
            made.page.goto(f"{self.url}{tree}?token={TOKEN}&reset")
            made.page.wait_for_selector("#jp-main-dock-panel", timeout=60_000)
            bench = Bench(made)
            if path.endswith(".ipynb"):
                bench.wait_for_kernel()
            try:
                yield bench
            except BaseException:
                made.page.screenshot(path=self._log.with_name("failure.png"))
                raise


class Bench:
    """One browser with Lab in it."""

    def __init__(self, made: Seat) -> None:
        self.seat = made
        self.page: Page = made.page

    def wait_for_kernel(self) -> None:
        """Before its kernel is connected, Lab loses what it is told to run."""
        self.page.wait_for_selector(".jp-StatusBar-TextItem:has-text('| Idle')", timeout=60_000)

    @property
    def run_button(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:visible .lg-run")

    def wait_for_state(self, state: str, timeout_s: float = 60.0) -> None:
        self.page.wait_for_selector(
            f".jp-NotebookPanel .lg-run[data-state='{state}']:visible", timeout=timeout_s * 1000
        )

    def type_into_cell(self, text: str, cell: int = 0) -> None:
        """Put text at the end of a cell, as a person does; nothing is saved."""
        editor = self.page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").nth(cell)
        editor.click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)


@contextlib.contextmanager
def served_lab(
    root: Path, home: Path, env: Mapping[str, str], *more: str, has_tour: bool = False, is_shared: bool = True
) -> Iterator[Lab]:
    """Serve a folder. `home` keeps what Jupyter writes; `more` are options of `jupyter lab`.

    `has_tour`: as for somebody who is here the first time. `is_shared`: documents are edited by several at
    once, as jupyter-collaboration does it.
    """
    programs, needed = lab_environment()
    settings = home / "jupyter-config"
    (settings / "labconfig").mkdir(parents=True)
    # Lab would ask whether it may fetch news, which covers buttons
    off = ["@jupyterlab/apputils-extension:announcements", *(() if is_shared else _SHARING)]
    page = {"disabledExtensions": dict.fromkeys(off, True)}
    (settings / "labconfig/page_config.json").write_text(json.dumps(page))
    # Light or dark as the browser says it is, not as Lab was left
    kept: dict[str, object] = {"@jupyterlab/apputils-extension:themes": {"adaptive-theme": True}}
    if not has_tour:
        kept["@lockgate/jupyterlab:plugin"] = {"offerTour": False}
    (settings / "labconfig/default_setting_overrides.json").write_text(json.dumps(kept))
    environment = dict(env) | needed
    environment["JUPYTER_CONFIG_PATH"] = f"{settings}:{needed['JUPYTER_CONFIG_PATH']}"
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(home / name.lower())
    environment["IPYTHONDIR"] = str(home / "ipython")
    log = home / "lab.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
    ]
    options += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}", *more]
    with log.open("wb") as printed:
        server = subprocess.Popen(
            [str(programs / "python"), "-m", "jupyterlab", *options],
            env=environment,
            cwd=root,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    made = Lab(f"http://127.0.0.1:{port}", root, log)
    try:
        _wait(made, server)
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _UP_S
    while True:
        assert server.poll() is None, lab.log[-4000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{lab.url}/api?token={TOKEN}", timeout=2):
            return
        assert time.monotonic() < end, lab.log[-4000:]
        time.sleep(0.05)
