from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place to play a story in; nothing of it runs on when the story is over."""
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    made = Place(tmp_path)
    yield made
    made.close()
