from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place to play a story in; nothing of it runs on when the story is over."""
    made = Place(tmp_path)
    yield made
    made.close()
