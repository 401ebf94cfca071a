"""Pairs of jupytext, by real jupytext: the text alone is in git, and both halves say the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from locked_environment import locked_environment

from lockgate.git.program import attempt, git
from lockgate.hub.notebooks.pairing import Stepped, bring_into_step

PAIRED = {"jupytext": {"formats": "ipynb,py:percent"}}


@pytest.fixture(scope="module")
def library() -> Path:
    """The packages of the environment that JupyterLab is tried in."""
    return next((locked_environment("lab").parent / "lib").glob("python*/site-packages"))


def lockgate(root: Path, library: Path, *words: str) -> dict[str, Any]:
    """Call Lockgate as it is where jupytext is installed beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "lockgate", *words, "--json"],
        cwd=root, env=os.environ | {"PYTHONPATH": str(library)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written(root: Path, *sources: str, metadata: dict[str, Any] = PAIRED) -> None:
    """Save the notebook as JupyterLab would, after executing it."""
    output = {"output_type": "stream", "name": "stdout", "text": ["out\n"]}
    cells = [
        {"cell_type": "code", "execution_count": 1, "id": f"c{n}", "metadata": {}, "outputs": [output],
         "source": [source]}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (root / "n.ipynb").write_text(json.dumps(document))


def notebook(root: Path) -> list[tuple[str, int]]:
    cells = json.loads((root / "n.ipynb").read_text())["cells"]
    return [("".join(cell["source"]), len(cell["outputs"])) for cell in cells]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", hub], check=True)
    git(hub, "config", "receive.advertisePushOptions", "true")
    for name in ("one", "two"):
        git(tmp_path, "clone", "-q", "-o", "hub", str(hub), name)
        attempt(tmp_path / name, "switch", "-q", "-c", "main")
    (tmp_path / "one" / ".gitignore").write_text("*.ipynb\n")
    return tmp_path / "one", tmp_path / "two"


def test_the_text_is_committed_as_the_notebook_is_and_what_comes_reaches_the_notebook(
    two: tuple[Path, Path], library: Path
) -> None:
    one, other = two
    written(one, "a = 1", "b = 1")
    assert lockgate(one, library, "sync")["notes"] == []
    assert "a = 1" in git(one, "show", "hub/main:n.py").decode()
    assert git(one, "ls-files").decode().split() == [".gitignore", "n.py"]
    before = notebook(one)

    git(other, "pull", "-q", "hub", "main")
    (other / "n.py").write_text((other / "n.py").read_text().replace("b = 1", "b = 'theirs'"))
    lockgate(other, library, "sync")
    written(one, "a = 'mine'", "b = 1")
    assert lockgate(one, library, "sync")["conflicts"] == []
    assert notebook(one) == [("a = 'mine'", 1), ("b = 'theirs'", 1)]
    text = git(one, "show", "hub/main:n.py").decode()
    assert "a = 'mine'" in text and "b = 'theirs'" in text
    assert git(one, "status", "--porcelain") == b""
    assert before == [("a = 1", 1), ("b = 1", 1)]

    lockgate(one, library, "sync", "--undo")
    assert [source for source, _ in notebook(one)] == ["a = 'mine'", "b = 1"]


def test_a_notebook_that_is_paired_by_the_projects_settings_is_too(
    two: tuple[Path, Path], library: Path
) -> None:
    one, _ = two
    (one / "jupytext.toml").write_text('formats = "ipynb,md"\n')
    written(one, "x = 1", metadata={})
    (one / "n.md").write_text("")
    os.utime(one / "n.md", (1, 1))
    assert lockgate(one, library, "sync")["notes"] == []
    assert "x = 1" in git(one, "show", "hub/main:n.md").decode()


def test_without_jupytext_it_is_told_and_settings_that_are_a_program_are_not_executed(
    two: tuple[Path, Path], library: Path
) -> None:
    one, _ = two
    assert bring_into_step(one) == Stepped()
    written(one, "a", metadata={})
    assert bring_into_step(one) == Stepped()
    written(one, "a")
    (note,) = bring_into_step(one).notes
    assert note.startswith("n.ipynb: paired by jupytext, which is not installed beside Lockgate")
    (one / ".jupytext.py").write_text("open('executed', 'w')")
    assert "its settings are a program: .jupytext.py" in lockgate(one, library, "sync")["notes"][0]
    assert not (one / "executed").exists()
