"""Outputs of a notebook, taken out of its text and put back; the rest stays to the byte. Pure.

Format: https://nbformat.readthedocs.io/en/latest/format_description.html (4 and, with worksheets, 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any, Literal, get_args

import msgspec

OutputPolicy = Literal["keep", "strip", "run copy only"]
"""What of outputs is in git: all; none; only those of executed copies that a run made."""

POLICIES: tuple[str, ...] = get_args(OutputPolicy)

#: What executing leaves beside outputs: in a cell's metadata (times by JupyterLab, ExecuteTime, papermill) …
_CELL_TRACES = frozenset({"execution", "ExecuteTime", "papermill"})
#: … and in the notebook's: the state of widgets, papermill's report.
_NOTEBOOK_TRACES = frozenset({"widgets", "papermill"})
_GAP = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder()


class NotebookError(ValueError):
    """The bytes are no notebook, so that nothing can be said of outputs."""


class _Member(msgspec.Struct, frozen=True):
    """One key of an object in the text: from `start` (the key's quote) to `end`, its value from `at`."""

    key: str
    value: Any
    start: int
    at: int
    end: int


class _Edit(msgspec.Struct, frozen=True):
    start: int
    end: int
    text: str


def without_outputs(content: bytes) -> bytes:
    """Return a notebook as if it had never been executed; the same bytes where nothing is to be taken out.

    Raises `NotebookError`.
    """
    text = _text(content)
    edits: list[_Edit] = []
    for members in _cells(text):
        for each in members:
            if each.key == "outputs" and each.value != []:
                edits.append(_Edit(each.at, each.end, "[]"))
            elif each.key in ("execution_count", "prompt_number") and each.value is not None:
                edits.append(_Edit(each.at, each.end, "null"))
            elif each.key == "metadata" and isinstance(each.value, dict):
                edits += _without(text, each, _CELL_TRACES)
    for each in _object(text, _start(text)):
        if each.key == "metadata" and isinstance(each.value, dict):
            edits += _without(text, each, _NOTEBOOK_TRACES)
    return _encoded(_edited(text, edits)) if edits else content


def with_outputs_of(content: bytes, earlier: bytes) -> bytes:
    """Return a notebook without outputs with those of an earlier state of it, where the code is the same.

    The same bytes where there is nothing to take over, or where `without_outputs` would not lead back.
    """
    try:
        text, before = _text(content), _text(earlier)
        known: dict[tuple[object, str], dict[str, str]] = {}
        for members in _cells(before):
            known.setdefault(_identity(members), _outputs(before, members))
        edits = [
            _Edit(each.at, each.end, found[each.key])
            for members in _cells(text)
            if (found := known.get(_identity(members)))
            for each in members
            if each.key in found
        ]
        made = _encoded(_edited(text, edits))
        return made if without_outputs(made) == content else content
    except NotebookError:
        return content


def _identity(members: list[_Member]) -> tuple[object, str]:
    """Return what tells that a cell is the same, and would do the same."""
    found = {each.key: each.value for each in members}
    source = found.get("source", found.get("input", ""))
    return found.get("id"), "".join(map(str, source)) if isinstance(source, list) else str(source)


def _outputs(text: str, members: list[_Member]) -> dict[str, str]:
    keys = ("outputs", "execution_count", "prompt_number")
    return {each.key: text[each.at : each.end] for each in members if each.key in keys}


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise NotebookError("it is not UTF-8") from None


def _start(text: str) -> int:
    # Some editors put a byte order mark before
    return _skip(text, 1 if text.startswith("\ufeff") else 0)


def _cells(text: str) -> Iterator[list[_Member]]:
    """Give the members of each code cell."""
    found = _object(text, _start(text))
    names = {each.key for each in found}
    if "cells" not in names and "worksheets" not in names:
        raise NotebookError("it has no cells")
    for each in found:
        if each.key == "cells":
            yield from _code_cells(text, each.at)
        elif each.key == "worksheets":
            for at in _items(text, each.at):
                for inner in _object(text, at):
                    if inner.key == "cells":
                        yield from _code_cells(text, inner.at)


def _code_cells(text: str, at: int) -> Iterator[list[_Member]]:
    for start in _items(text, at):
        members = _object(text, start)
        if any(each.key == "cell_type" and each.value == "code" for each in members):
            yield members


def _object(text: str, at: int) -> list[_Member]:
    if text[at : at + 1] != "{":
        raise NotebookError("an object is missing where the format has one")
    found: list[_Member] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        start = at
        key, at = _value(text, at)
        at = _after(text, at, ":")
        value, end = _value(text, at)
        if not isinstance(key, str):
            raise NotebookError("a key is no text")
        found.append(_Member(key, value, start, at, end))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise NotebookError("a comma or a bracket is missing")
    return found


def _items(text: str, at: int) -> Iterator[int]:
    """Give where each item of a list begins."""
    if text[at : at + 1] != "[":
        raise NotebookError("a list is missing where the format has one")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        yield at
        at = _skip(text, _value(text, at)[1])
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise NotebookError("a comma or a bracket is missing")


def _without(text: str, parent: _Member, names: frozenset[str]) -> list[_Edit]:
    """Return the edits that take keys out of an object, so that it looks as if they had never been there."""
    members = _object(text, parent.at)
    left = [each for each in members if each.key not in names]
    if len(left) == len(members):
        return []
    if not left:
        return [_Edit(parent.at, parent.end, "{}")]
    edits = []
    for number, each in enumerate(members):
        if each.key not in names:
            continue
        if any(other.key not in names for other in members[:number]):
            # With the comma before it
            edits.append(_Edit(members[number - 1].end, each.end, ""))
        else:
            edits.append(_Edit(each.start, members[number + 1].start, ""))
    return edits


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except (JSONDecodeError, RecursionError) as problem:
        raise NotebookError(f"it is no JSON: {problem}") from None


def _after(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise NotebookError(f"it is no JSON: {sign!r} is missing")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at


def _edited(text: str, edits: list[_Edit]) -> str:
    parts, at = [], 0
    for edit in sorted(edits, key=lambda each: each.start):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")
