"""What is asked of a notebook before it runs: its language, and the parameters it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from lockgate.errors import UserError
from lockgate.project.reading import parse_python

_ASSIGNMENT = re.compile(r"\s*([^\W\d][\w.]*)\s*(?:::\s*\w+\s*)?(?:<-|=(?![=~>]))")
_MAGIC = re.compile(r"\s*[%!?]")


class Cell(msgspec.Struct, frozen=True):
    cell_type: str
    source: str | list[str] = ""
    metadata: dict[str, object] = {}

    @property
    def text(self) -> str:
        return self.source if isinstance(self.source, str) else "".join(self.source)

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self.metadata.get("tags", ())
        return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


class Notebook(msgspec.Struct, frozen=True):
    """The parts of nbformat 4 that are read here (https://nbformat.readthedocs.io)."""

    nbformat: Annotated[int, msgspec.Meta(ge=4, le=4)]
    cells: tuple[Cell, ...]
    metadata: dict[str, object] = {}

    @property
    def language(self) -> str:
        """The kernel's language in lower case, `python` where none is said."""
        for table, key in (("kernelspec", "language"), ("language_info", "name")):
            found = self.metadata.get(table)
            name = found.get(key) if isinstance(found, dict) else None
            if isinstance(name, str) and name:
                return name.lower()
        return "python"

    @property
    def kernel(self) -> str | None:
        """The name of the kernel it was last run with."""
        found = self.metadata.get("kernelspec")
        name = found.get("name") if isinstance(found, dict) else None
        return name if isinstance(name, str) else None


def read_notebook(content: bytes, path: str) -> Notebook:
    """Read a notebook. Raises `UserError`: `notebook-not-json`, `notebook-invalid`."""
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=Notebook)
    except msgspec.ValidationError as problem:
        raise UserError(
            f"{path}: not a notebook of format 4: {problem}",
            "Open it in Jupyter and save it again.",
            code="notebook-invalid",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        is_conflict = b"\n<<<<<<< " in content or content.startswith(b"<<<<<<< ")
        raise UserError(
            f"{path}: not JSON: {'it holds the marks of a merge conflict' if is_conflict else problem}",
            "Resolve the conflict (nbdime shows it cell by cell)."
            if is_conflict
            else "Restore it from history (git log), or open it in Jupyter and save it again.",
            code="notebook-not-json",
        ) from None


def parameter_names(notebook: Notebook) -> tuple[str, ...]:
    """Return the variables assigned in the first cell tagged `parameters`, in order; () without one.

    The tag is papermill's (https://papermill.readthedocs.io, Parameterize). A cell that is no valid Python
    is read line by line, as those of other languages are.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.tags:
            names = _python_names(cell.text) if notebook.language == "python" else None
            return tuple(dict.fromkeys(_line_names(cell.text) if names is None else names))
    return ()


def _python_names(text: str) -> list[str] | None:
    code = "\n".join("" if _MAGIC.match(line) else line for line in text.split("\n"))
    tree = parse_python(code)
    if tree is None:
        return None
    names: list[str] = []
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
            names += [part.id for part in parts if isinstance(part, ast.Name)]
    return names


def _line_names(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        found = _ASSIGNMENT.match(line)
        if found and not line.lstrip().startswith("#"):
            yield found[1]
