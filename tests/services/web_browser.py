"""A real browser for tests of pages: Chromium through Playwright, and what it finds fault with."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDE, NARROW = 1280, 390


def start_browser() -> Iterator[Browser]:
    """Yield Chromium; skip, loudly, where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("NOT TESTED: pages in a browser: Chromium is not installed here")
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield browser
        browser.close()


class Seat:
    """Somebody before a browser of their own: `faults` is what its console complained of, `dialogs` what a
    script of a page opened."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", self._complained)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", self._opened)

    def _complained(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.faults.append(said.text)

    def _opened(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, name: str, password: str) -> None:
        self.go("/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        self.page.wait_for_url(self.url + "/")

    def violations(self, within: str | None = None) -> list[str]:
        """Return what axe finds against WCAG A and AA on the page as it is now, or in a part of it."""
        found = Axe().run(self.page, context=within, options={"runOnly": _RULES})
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return wider


@contextlib.contextmanager
def seat(
    browser: Browser, url: str, scheme: str = "light", width: int = WIDE, *, has_script: bool = True
) -> Iterator[Seat]:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=has_script,
    )
    context.set_default_timeout(30_000)
    try:
        yield Seat(context.new_page(), url)
    finally:
        context.close()
