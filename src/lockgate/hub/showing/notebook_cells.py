"""A notebook's cells, of format 4 and of the one before. Pure.

Format: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

#: A larger notebook is not shown by its cells.
MOST_BYTES = 20_000_000
MOST_CELLS = 1000
#: Of what a cell may say in several forms, the first of these that is there is shown.
_FORMS = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "text/html",
    "text/markdown",
    "text/plain",
)


class Output(msgspec.Struct, frozen=True):
    """One thing a cell said; `form`: its media type, `stream`, or `error`."""

    form: str
    content: str
    plain: str = ""
    """The same in words, where there are any."""


class Cell(msgspec.Struct, frozen=True):
    kind: Literal["code", "markdown", "raw"]
    source: str
    outputs: tuple[Output, ...] = ()
    count: int | None = None
    """Which of all executions this one was."""


class Notebook(msgspec.Struct, frozen=True):
    cells: tuple[Cell, ...]
    language: str = "python"
    is_cut: bool = False


def read_notebook(content: bytes) -> Notebook:
    """Return a notebook's cells, the first `MOST_CELLS`. Raises ValueError in words for what is none."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    document = _table(document)
    sheets = document.get("worksheets")
    found = _table(sheets[0]).get("cells") if isinstance(sheets, list) and sheets else document.get("cells")
    if not isinstance(found, list):
        raise ValueError("it has no cells")
    about = _table(document.get("metadata"))
    language = _table(about.get("language_info")).get("name") or _table(about.get("kernelspec")).get(
        "language"
    )
    cells = tuple(_cell(_table(each)) for each in found[:MOST_CELLS])
    return Notebook(cells, str(language or "python")[:50], is_cut=len(found) > MOST_CELLS)


def _cell(cell: Mapping[str, object]) -> Cell:
    kind = cell.get("cell_type")
    if kind == "code":
        outputs = cell.get("outputs")
        count = cell.get("execution_count", cell.get("prompt_number"))
        source = cell.get("source", cell.get("input"))
        return Cell(
            "code",
            _text(source),
            tuple(_outputs(outputs if isinstance(outputs, list) else [])),
            count if isinstance(count, int) else None,
        )
    if kind == "heading":
        level = cell.get("level")
        marks = "#" * (level if isinstance(level, int) and 0 < level < 7 else 1)
        return Cell("markdown", f"{marks} {_text(cell.get('source'))}")
    return Cell("markdown" if kind == "markdown" else "raw", _text(cell.get("source")))


def _outputs(found: list[object]) -> Iterator[Output]:
    for each in map(_table, found):
        kind = each.get("output_type")
        if kind == "stream":
            yield Output("stream", _text(each.get("text")), _text(each.get("text")))
        elif kind in ("error", "pyerr"):
            trace = each.get("traceback")
            lines = [str(line) for line in trace] if isinstance(trace, list) else []
            words = "\n".join(lines) or f"{each.get('ename')}: {each.get('evalue')}"
            yield Output("error", words, f"{each.get('ename')}: {each.get('evalue')}")
        else:
            data = {str(form): value for form, value in _table(each.get("data")).items()}
            form = next((form for form in _FORMS if form in data), None)
            if form is not None:
                yield Output(form, _text(data[form]), _text(data.get("text/plain")))


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A text as it is written: whole, or as a list of lines that keep their ends."""
    if isinstance(value, list):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ""
