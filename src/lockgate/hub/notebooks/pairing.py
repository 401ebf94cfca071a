"""Notebooks that jupytext keeps as a text beside them, brought into step where git has the text alone.

Pairs and their settings: https://jupytext.readthedocs.io (Paired notebooks; Configuration file).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from lockgate.git.worktree import changes, git_dir_of

_SETTINGS = ("jupytext.toml", "jupytext.yml", "jupytext.yaml", "jupytext.json")
_NAMES = tuple(name for each in _SETTINGS for name in (each, f".{each}"))
#: jupytext would execute these: code of the project, which a sync must not.
_PROGRAMS = ("jupytext.py", ".jupytext.py", "jupytext", ".jupytext")
_LIMIT_S = 120

Seen = dict[str, list[int]]


class _Pairing(msgspec.Struct):
    formats: str | list[dict[str, str]] = ""


class _Metadata(msgspec.Struct):
    jupytext: _Pairing = msgspec.field(default_factory=_Pairing)


class _Notebook(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class Stepped(msgspec.Struct, frozen=True):
    """What became of a clone's pairs."""

    has_written: bool = False
    notes: tuple[str, ...] = ()
    """What is to be told."""


def bring_into_step(root: Path, ignored: Sequence[str] | None = None) -> Stepped:
    """Have the two halves of each pair whose notebook git ignores say the same.

    The half that was saved last counts; outputs stay where the code is the same. `ignored`: what git ignores,
    where that is known.
    """
    paired = _paired(root, changes(root, has_ignored=True).ignored if ignored is None else ignored)
    record = git_dir_of(root) / "lockgate" / "pairs.json"
    known = _read(record) if paired else {}
    changed = [path for path in paired if known.get(path) != _look(root, path)]
    if not changed:
        return Stepped()
    program = next((name for name in _PROGRAMS if (root / name).is_file()), None)
    if program is not None:
        return _told(f"pairs of jupytext are left alone, as its settings are a program: {program}")
    if find_spec("jupytext") is None:
        return _told(
            f"{_named(changed)}: paired by jupytext, which is not installed beside Lockgate, so the text"
            " may lag behind: pip install jupytext"
        )
    trouble = _synced(root, changed)
    if trouble:
        return _told(f"{_named(changed)}: jupytext could not bring the pair into step: {trouble}")
    record.parent.mkdir(parents=True, exist_ok=True)
    draft = record.with_name(f".{record.name}.{os.getpid()}")
    draft.write_text(json.dumps({path: _look(root, path) for path in paired}), "utf-8")
    draft.replace(record)
    return Stepped(has_written=True)


def _told(words: str) -> Stepped:
    return Stepped(notes=(words,))


def _paired(root: Path, ignored: Sequence[str]) -> list[str]:
    names = [path for path in ignored if path.endswith(".ipynb") and ".ipynb_checkpoints/" not in path]
    if not names:
        return []
    is_all = any((root / name).is_file() for name in _NAMES) or _in_pyproject(root)
    return [path for path in names if is_all or _names_a_pair(root / path)]


def _in_pyproject(root: Path) -> bool:
    try:
        return "[tool.jupytext]" in (root / "pyproject.toml").read_text("utf-8", "replace")
    except OSError:
        return False


def _names_a_pair(notebook: Path) -> bool:
    try:
        found = msgspec.json.decode(notebook.read_bytes(), type=_Notebook)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return bool(found.metadata.jupytext.formats)


def _look(root: Path, path: str) -> list[int]:
    """Return what tells that neither half was written since: of all files of this name, size and time."""
    place = root / path
    seen = []
    for each in sorted(place.parent.glob(f"{_literal(place.stem)}.*")):
        about = each.stat()
        seen += [about.st_size, about.st_mtime_ns]
    return seen


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _synced(root: Path, paths: Sequence[str]) -> str:
    """Call jupytext, out of reach of the project's own modules; return what it complains of."""
    words = [sys.executable, "-P", "-m", "jupytext", "--quiet", "--sync", "--", *paths]
    try:
        done = subprocess.run(
            words, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {_LIMIT_S} s"
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (last[-1] if last else f"exit code {done.returncode}")


def _read(record: Path) -> Seen:
    try:
        found: Seen = msgspec.json.decode(record.read_bytes(), type=Seen)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError):
        return {}
    return found


def _named(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (" …" if len(paths) > 3 else "")
