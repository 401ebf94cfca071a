"""A repository for data, and the ways to call what is tested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_repository import git
from dvc_program import Dvc, dvc_program

from lockgate.data.clone import Clone, open_clone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    return root


@pytest.fixture
def clone(root: Path) -> Clone:
    return open_clone(str(root))


@pytest.fixture
def files(root: Path) -> Callable[..., None]:
    """Write files: path → text or bytes."""

    def write(contents: dict[str, str | bytes]) -> None:
        for path, content in contents.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


@pytest.fixture(scope="session")
def dvc_at() -> Callable[[Path], Dvc]:
    program = dvc_program()
    return lambda folder: Dvc(program, folder)
