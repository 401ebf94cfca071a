from __future__ import annotations

import json
from pathlib import Path

from lockgate.jupyter.capture.notebooks import Notebooks, Saved, read_saved


def notebook(*cells: tuple[str, str | list[str]], **metadata: object) -> bytes:
    listed = [{"cell_type": "code", "id": id, "source": source} for id, source in cells]
    return json.dumps({"cells": listed, "metadata": metadata, "nbformat": 4}).encode()


def test_a_cell_is_known_by_its_code_where_only_one_holds_it() -> None:
    found = read_saved(notebook(("a", "x = 1"), ("b", ["y\n", "z"]), ("c", "same"), ("d", "same")))
    assert found == Saved(True, {"x = 1": "a", "y\nz": "b"})


def test_capture_is_off_where_the_notebook_says_so() -> None:
    assert not read_saved(notebook(lockgate={"capture": False})).is_captured
    assert read_saved(notebook(lockgate={"other": 1})).is_captured


def test_what_is_no_notebook_says_nothing() -> None:
    assert read_saved(b"") == read_saved(b"[1]") == read_saved(b'{"cells": 3}') == Saved()


def test_a_notebook_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path, notebooks = tmp_path / "n.ipynb", Notebooks()
    assert notebooks.saved(path) == Saved()
    path.write_bytes(notebook(("a", "x")))
    assert notebooks.saved(path).cells == {"x": "a"}
    path.write_bytes(notebook(("a", "longer")))
    assert notebooks.saved(path).cells == {"longer": "a"}
