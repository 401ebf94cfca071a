from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import nbclient
import nbformat
import pytest
from e2e_place import LINGER_S, ONE_STAGE, Place, WorkTree


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
        made = Place(tmp_path_factory.mktemp("place"))
        patch.setenv("LOCKGATE_HUB", str(made.hub))
        yield made
        made.close()


@pytest.fixture(scope="module")
def tree(place: Place) -> WorkTree:
    """A project with a package in its runtime that is nowhere else, and a kernel in Python."""
    made = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "requirements.txt": "tabulate==0.9.0\n"})
    made.lockgate("kernel", "add", "p-py")
    made.commit()
    return made


@pytest.fixture
def cells(tree: WorkTree, monkeypatch: pytest.MonkeyPatch) -> Cells:
    """Run cells in a kernel of the project as `jupyter execute` and papermill do, without a server."""
    monkeypatch.setenv("JUPYTER_PATH", str(tree.path))
    monkeypatch.chdir(tree.path)
    return Cells()


class Cells:
    def run(self, *sources: str, kernel: str = "p-py", allow_errors: bool = False) -> list[list[Any]]:
        """Return the outputs of each cell."""
        form: Any = nbformat.v4
        document = form.new_notebook(cells=[form.new_code_cell(source) for source in sources])
        nbclient.NotebookClient(
            document,
            kernel_name=kernel,
            allow_errors=allow_errors,
            timeout=100,
            resources={"metadata": {"path": "."}},
        ).execute()
        return [list(cell.outputs) for cell in document.cells]

    def printed(self, *sources: str, kernel: str = "p-py") -> list[str]:
        """Return what each cell printed."""
        found = []
        for outputs in self.run(*sources, kernel=kernel):
            assert all(output.output_type == "stream" for output in outputs), json.dumps(outputs)
            found.append("".join(output.text for output in outputs if output.name == "stdout").strip())
        return found
