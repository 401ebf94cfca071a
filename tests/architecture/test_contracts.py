"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Tests that show or refuse such text, this one among them.
EXEMPT = ("tests/architecture/", "tests/golden/")

#: Hosts that serve packages, by the first word of their names.
REGISTRY = re.compile(r"://(?:[\w.-]+@)?(?:registry|files|index|pypi|pypi-mirror|deb|proxy|mirror)[\w-]*\.")
OPTIONS = re.compile(r"^\s*(?:--(?:extra-)?index-url|--find-links|-i|-f)\b", re.M)
WORKPLACE = re.compile(r"(?<![\w.~$}/])/(?:work|root)/\w")
OLD_WORDS = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
#: Files that must be long, and why.
LONG = {"src/lockgate/runs/notebook_runner.py": "copied into a job as one file that imports nothing of ours"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "stuff"}


@cache
def tracked() -> dict[str, str]:
    """Return every tracked text file by its path."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    found = {}
    for name in done.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(EXEMPT):
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                found[name] = content.decode("utf-8", "replace")
    return found


def _lines(pattern: re.Pattern[str], names: list[str] | None = None) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked().items()
        if names is None or name in names
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_the_import_contracts_are_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_names_a_package_registry() -> None:
    assert not _lines(REGISTRY)


@pytest.mark.parametrize("name", ["dev", "build", "bootstrap"])
def test_a_lock_has_hashes_and_no_address(name: str) -> None:
    text = tracked()[f"requirements/{name}.txt"]
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not OPTIONS.search(text)


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not _lines(WORKPLACE)


def test_nothing_is_left_to_do_in_the_source() -> None:
    assert not _lines(OLD_WORDS, [name for name in tracked() if name.startswith("src/")])


def test_no_file_is_a_drawer() -> None:
    assert not [name for name in tracked() if name.endswith(".py") and Path(name).stem in DRAWERS]


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(Path(name).name for name in tracked() if re.fullmatch(r"tests/.*/test_\w+\.py", name))
    assert not [name for name, count in names.items() if count > 1]


def test_public_things_say_what_they_are() -> None:
    """Modules, and public functions and classes of more than a few lines, have a docstring."""
    silent = []
    for name, text in tracked().items():
        if not name.startswith("src/") or not name.endswith(".py"):
            continue
        tree = ast.parse(text)
        if tree.body and not ast.get_docstring(tree):
            silent.append(name)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                long = (node.end_lineno or 0) - node.lineno > 12
                if long and not node.name.startswith("_") and not ast.get_docstring(node):
                    silent.append(f"{name}:{node.lineno}: {node.name}")
    assert not silent


def test_files_are_about_one_thing() -> None:
    """Long files are listed (pytest -rP shows them); only a very long one fails."""
    lengths = {
        name: text.count("\n") for name, text in tracked().items() if re.match(r"(src|tests)/.*\.py$", name)
    }
    for name, length in sorted(lengths.items(), key=lambda item: -item[1]):
        if length > 450:
            print(f"{length:5} {name}")
    too_long = {name for name, length in lengths.items() if length > 700 and name.startswith("src/")}
    assert not too_long - LONG.keys()
