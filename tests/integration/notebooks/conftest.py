from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.hub.software.runtimes import Runtimes


@pytest.fixture(scope="session")
def notebook_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a runtime that holds what notebooks need and nothing else."""
    runtimes = Runtimes(tmp_path_factory.mktemp("runtimes"))
    found = runtimes.locked({}, None, lambda path: None, has_notebooks=True)
    return runtimes.build(found.digest, found.text, found.kind, Path(found.interpreter))
