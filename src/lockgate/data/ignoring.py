"""`.dvcignore`: what is no data, by git's rules for patterns, as DVC reads them (dvc, `ignore.py`)."""

from __future__ import annotations

import os
import re

from lockgate.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockgate.data.scan import Ignoring

FILE = ".dvcignore"

_Rule = tuple[str, "re.Pattern[str]", bool, bool]


def load_ignoring(root: str, path: str) -> Ignoring | None:
    """Return what leaves out files of the data at `path`; None: nothing does.

    The `.dvcignore` files of the root and of every folder on the way count, the last match wins.
    Raises `UserError` (`data-ignored`) where `path` itself is left out.
    """
    parts = path.split("/")
    rules: list[_Rule] = []
    for depth in range(len(parts)):
        folder = "/".join(parts[:depth])
        try:
            with open(os.path.join(root, folder, FILE), encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except (FileNotFoundError, NotADirectoryError):
            continue
        rules += _rules(folder + "/" if folder else "", [each for each in lines if each and each[0] != "#"])
    if not rules:
        return None
    for depth in range(1, len(parts) + 1):
        if _is_out(rules, "/".join(parts[:depth]) + "/"):
            raise UserError(
                f"{path} is left out by `.dvcignore`", "Take the pattern out of it.", code="data-ignored"
            )
    return lambda inside: _is_out(rules, f"{path}/{inside}")


def _rules(folder: str, patterns: list[str]) -> list[_Rule]:
    if not patterns:
        return []
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern  # noqa: PLC0415  (only with patterns)

    rules = []
    for pattern in patterns:
        regex, is_out = GitIgnoreSpecPattern.pattern_to_regex(pattern)
        if regex is not None and is_out is not None:
            rules.append((folder, re.compile(regex), is_out, pattern.endswith("/")))
    return rules


def _is_out(rules: list[_Rule], path: str) -> bool:
    is_folder = path.endswith("/")
    bare = path.rstrip("/")
    for folder, regex, is_out, is_for_folders in reversed(rules):
        if not bare.startswith(folder) or (is_for_folders and not is_folder):
            continue
        inside = bare[len(folder) :]
        if regex.match(inside) or (is_folder and regex.match(inside + "/")):
            return is_out
    return False
