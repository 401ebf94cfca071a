"""Who may only read, and whose token is wrong, in a real JupyterLab: Run and Sync say so; no work is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from e2e_place import run_program
from lab_notebook import notebook
from lab_server import Bench, Lab, served_lab
from playwright.sync_api import Browser, expect
from web_site import PASSWORD, Site, served

pytestmark = pytest.mark.lab

_HIDDEN = ("LOCKGATE_HUB", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "GIT_CONFIG_GLOBAL")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("team")) as made:
        made.project()
        made.member("ada", "lead")
        made.member("eve", "viewer")
        made.start()
        yield made


@pytest.fixture(scope="module")
def env(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The machine of eve, who is logged in and may only read."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    kept |= {"HOME": str(home), "GIT_TERMINAL_PROMPT": "0"}
    (home / "work").mkdir()

    def run(*words: str, stdin: str = "") -> None:
        run_program(list(words), home / "work", kept, stdin=stdin)

    run("lockgate", "login", site.url, "--member", "eve", stdin=f"{PASSWORD}\n")
    run("git", "config", "--global", "user.email", "eve@example.org")
    run("git", "config", "--global", "user.name", "eve")
    run("git", "clone", "-q", "-o", "hub", f"{site.url}/git/flights.git", "flights")
    (home / "work/flights/n.ipynb").write_text(notebook("a = 1"))
    return kept


@pytest.fixture(scope="module")
def lab(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with served_lab(Path(env["HOME"], "work"), tmp_path_factory.mktemp("jupyter"), env) as made:
        yield made


def refused(bench: Bench, press: str) -> str:
    """Press a button of the notebook's toolbar; return the dialog's words."""
    bench.page.locator(f".jp-NotebookPanel:visible {press}").click()
    if "sync" in press:
        bench.page.get_by_role("button", name="Details").last.click(timeout=60_000)
    dialog = bench.page.get_by_role("dialog")
    expect(dialog.locator(".lg-failure-hint")).to_be_visible(timeout=60_000)
    assert bench.seat.violations(".lg-failure") == []
    told = dialog.locator(".lg-failure").inner_text()
    dialog.get_by_role("button", name="Close").click()
    return told


def test_a_viewer_and_a_wrong_token_are_told_what_to_do(
    lab: Lab, browser: Browser, env: Mapping[str, str], site: Site
) -> None:
    tree, tokens = Path(lab.root, "flights"), Path(env["HOME"], ".config/lockgate/hubs.json")
    with lab.open(browser, "flights/n.ipynb", "dark") as bench:
        bench.type_into_cell("\nb = 2")
        told = refused(bench, ".lg-run-main")
        assert "eve is a viewer there" in told
        assert "[not-allowed]" in told or "not-allowed" in told
        assert "b = 2" in (tree / "n.ipynb").read_text()
        told = refused(bench, ".lg-sync-main")
        assert "eve is a viewer there" in told
        assert run_program(["git", "log", "-1", "--format=%s"], tree, env).out == "Add n.ipynb\n"
        right = tokens.read_text()
        kept = json.loads(right)
        assert right.count(kept_token(kept)) == 1
        tokens.write_text(right.replace(kept_token(kept), "lgt_wrong"))
        for press in (".lg-run-main", ".lg-sync-main"):
            assert f"lockgate login {site.url}" in refused(bench, press)
        bench.page.screenshot(path=lab.root / "wrong-token.png")
        assert "Traceback" not in lab.log


def kept_token(kept: object) -> str:
    """Return the only long secret in what a login keeps."""
    if isinstance(kept, dict):
        for value in kept.values():
            if found := kept_token(value):
                return found
    return kept if isinstance(kept, str) and len(kept) > 30 else ""
