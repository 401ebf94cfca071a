from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e_place import LINGER_S, Place
from lab_server import Lab, served_lab
from playwright.sync_api import Browser
from web_browser import start_browser


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hub, and work trees below one folder, which a Lab serves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
        made = Place(tmp_path_factory.mktemp("place"))
        yield made
        made.close()


@pytest.fixture(scope="module")
def lab(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with served_lab(place.root, tmp_path_factory.mktemp("jupyter"), place.env) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """As long as it is open, a loop of its own runs in this thread, and no other can."""
    yield from start_browser()
