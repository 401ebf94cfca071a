"""Writing a table `[datasets."PATH"]` into the text of a `lockgate.toml`; all else stays. Pure."""

from __future__ import annotations

import json
import re

import tomli

from lockgate.errors import UserError
from lockgate.project.description import FIELDS, Description
from lockgate.project.pipeline import MANIFEST_FILE

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def put_dataset(text: str, path: str, said: Description) -> str:
    """Return the text with this said of a path. What is said of it must stand in a table of its own.

    Raises `UserError` (`manifest-invalid`) where it stands in another form.
    """
    before = tomli.loads(text)
    head = re.search(rf"^[ \t]*\[[ \t]*datasets[ \t]*\.[ \t]*{_any_key(path)}[ \t]*\]", text, re.MULTILINE)
    table = _table(path, said)
    if head is None:
        new = (
            text + ("" if not text or text.endswith("\n") else "\n") + ("\n" if text.strip() else "") + table
        )
    else:
        following = _HEADER.search(text, head.end())
        end = following.start() if following else len(text)
        # What stands above the next table, as its comments, is that table's
        tail = re.search(r"(?:[ \t]*(?:#[^\n]*)?\n)*\Z", text[head.end() : end])
        kept = tail.group() if tail and following else ""
        new = text[: head.start()] + table + ("\n" if following and not kept.startswith("\n") else "") + kept
        new += text[end:]
    if _others(new, path) != _others_of(before, path):
        raise UserError(
            f"{MANIFEST_FILE} speaks of {path} in a form that is not written anew by itself",
            f'Edit it by hand: [datasets."{path}"]',
            code="manifest-invalid",
        )
    return new


def _any_key(path: str) -> str:
    """Return a pattern for a path as a key of TOML, quoted in either way or bare."""
    forms = [json.dumps(path, ensure_ascii=False), f"'{path}'", path if _BARE.fullmatch(path) else None]
    return "(?:" + "|".join(re.escape(form) for form in forms if form) + ")"


def _others(text: str, path: str) -> object:
    try:
        return _others_of(tomli.loads(text), path)
    except tomli.TOMLDecodeError:
        return None


def _others_of(document: dict[str, object], path: str) -> object:
    """Return all that is said but of this path."""
    datasets = document.get("datasets", {})
    kept = (
        {key: value for key, value in datasets.items() if key != path} if isinstance(datasets, dict) else {}
    )
    return {**document, "datasets": kept}


def _table(path: str, said: Description) -> str:
    lines = [f"[datasets.{_text(path)}]"]
    if said.text:
        lines.append(f"description = {_text(said.text)}")
    lines += [f"{name} = {_text(getattr(said, name))}" for name in FIELDS if getattr(said, name)]
    if said.labels:
        lines.append(f"labels = [{', '.join(_text(label) for label in said.labels)}]")
    if said.columns:
        pairs = ", ".join(f"{_text(name)} = {_text(words)}" for name, words in said.columns.items())
        lines.append(f"columns = {{ {pairs} }}")
    return "".join(f"{line}\n" for line in lines)


def _text(value: str) -> str:
    """Return a text as TOML writes it: as JSON does, but for DEL (https://toml.io/en/v1.0.0#string)."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
