"""A notebook as text that people can compare: cell by cell, pictures by size and digest. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

#: So much of one output is shown.
_LINES = 200


def text_of_notebook(content: bytes) -> str:
    """Return a notebook's cells and outputs as text; what is no notebook, as it is."""
    try:
        # Not msgspec: git asks for two texts a notebook, and importing it takes longer than all else here
        document = json.loads(content)
        cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        return "".join(_cell(number, cell) for number, cell in enumerate(cells, 1))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return content.decode("utf-8", "replace")


def _cell(number: int, cell: dict[str, Any]) -> str:
    tags = cell.get("metadata", {}).get("tags") or []
    about = f" [{', '.join(map(str, tags))}]" if tags else ""
    source = cell.get("source", cell.get("input", ""))
    lines = [f"── {cell['cell_type']} cell {number}{about}", *_joined(source)]
    for output in cell.get("outputs") or []:
        lines += _output(output)
    return "\n".join([*lines, "", ""])


def _output(output: dict[str, Any]) -> list[str]:
    kind = output["output_type"]
    if kind == "stream":
        return [f"── {output.get('name', 'stream')}", *_cut(_joined(output["text"]))]
    if kind in ("error", "pyerr"):
        return ["── error", f"{output.get('ename')}: {output.get('evalue')}"]
    found: list[str] = []
    for mime, value in sorted(output.get("data", {}).items()):
        is_text = mime.startswith("text/") or mime.endswith(("json", "+xml"))
        if is_text and isinstance(value, str | list):
            found += [f"── {mime}", *_cut(_joined(value))]
        else:
            raw = ("".join(map(str, value)) if isinstance(value, list) else str(value)).encode(
                "utf-8", "replace"
            )
            digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()[:12]
            found.append(f"── {mime}: {len(raw):,} characters, {digest}")
    return found


def _joined(text: object) -> list[str]:
    whole = "".join(map(str, text)) if isinstance(text, list) else str(text)
    return whole.splitlines()


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _LINES else [*lines[:_LINES], f"… {len(lines) - _LINES} more lines"]
