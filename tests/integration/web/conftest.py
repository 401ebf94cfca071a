from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from web_browser import start_browser
from web_site import Site, served


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served hub without members and with one project that has run."""
    with served(tmp_path_factory.mktemp("site")) as made:
        made.project()
        made.start()
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """As long as it is open, a loop of its own runs in this thread, and no other can."""
    yield from start_browser()
