"""Rules for a table as a piece of `lockgate.toml`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lockgate.errors import UserError
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def check_text(path: str, rules: Mapping[str, Any]) -> str:
    """Return the table `[checks."PATH"]` for rules as the program suggests them."""
    lines = [f"[checks.{_quoted(path)}]", f"rows = {_inline(rules['rows'])}", ""]
    lines.append(f"[checks.{_quoted(path)}.columns]")
    lines += [f"{_key(name)} = {_inline(each)}" for name, each in rules["columns"].items()]
    return "\n".join(lines) + "\n"


def with_check(text: str, path: str, rules: Mapping[str, Any]) -> str:
    """Return a `lockgate.toml` with a table for `path` at its end. Raises `UserError` (`check-there`)."""
    if any(check.pattern == path for check in parse_manifest(text).checks):
        raise UserError(
            f"{MANIFEST_FILE} has checks for {path} already",
            f"See what is suggested now, and take what you want: lockgate data check --suggest {path}",
            code="check-there",
        )
    whole = f"{text.rstrip()}\n\n{check_text(path, rules)}"
    parse_manifest(whole)
    return whole


def _inline(rules: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in rules.items()) + " }"


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    # What JSON writes of a text, TOML reads (toml.io/en/v1.0.0, "String"), but for DEL
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
