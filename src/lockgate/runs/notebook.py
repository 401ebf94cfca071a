"""Notebook stages: what they make without saying so, the parameters they take, the command that runs them."""

from __future__ import annotations

import ast
import json
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence

from lockgate.errors import UserError
from lockgate.project.pipeline import Scalar, Stage

#: The runner's name in a job's folder, beside the workspace.
RUNNER_FILE = "notebook.py"

#: Assignments at the start of a line of R or Julia.
_ASSIGNMENT = re.compile(r"^([A-Za-z][\w.]*)\s*(?:<-|=(?!=))", re.MULTILINE)


def executed_path(notebook: str, makes: Sequence[str]) -> str:
    """Return where the executed copy goes: the first make that ends in `.ipynb`, else `X.executed.ipynb`."""
    named = [path for path in makes if path.endswith(".ipynb") and path != notebook]
    return named[0] if named else posixpath.splitext(notebook)[0] + ".executed.ipynb"


def page_path(notebook: str, makes: Sequence[str]) -> str:
    """Return where the page goes: the first make that ends in `.html`, else `X.html`."""
    named = [path for path in makes if path.endswith(".html")]
    return named[0] if named else posixpath.splitext(notebook)[0] + ".html"


def implied_makes(stage: Stage) -> tuple[str, ...]:
    """Return what a notebook stage makes whether it says so or not: its executed copy, its page."""
    if stage.notebook is None:
        return ()
    return executed_path(stage.notebook, stage.makes), page_path(stage.notebook, stage.makes)


def notebook_command(notebook: str, makes: Sequence[str], params: Mapping[str, Scalar]) -> str:
    """Return the shell command that runs a notebook in a job's workspace with the runtime's `python`."""
    words = [
        "python",
        f"../{RUNNER_FILE}",
        notebook,
        executed_path(notebook, makes),
        page_path(notebook, makes),
    ]
    if params:
        words += ["--parameters", json.dumps(dict(params), sort_keys=True)]
    return shlex.join(words)


def parameter_names(content: bytes, path: str = "the notebook") -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns, in order; none without such a cell.

    Raises `UserError` (`notebook-unreadable`) for what is no notebook.
    """
    try:
        notebook = json.loads(content)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", ())]
        source = "".join(tagged[0].get("source", "")) if tagged else ""
        language = notebook.get("metadata", {}).get("kernelspec", {}).get("language") or "python"
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise UserError(
            f"{path} is not a notebook", "Open it in Jupyter and save it again.", code="notebook-unreadable"
        ) from None
    names = _python_names(source) if str(language).lower() == "python" else _ASSIGNMENT.findall(source)
    return tuple(dict.fromkeys(names))


def _python_names(source: str) -> list[str]:
    lines = ["pass" if line.startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError):
        return _ASSIGNMENT.findall(source)
    names: list[str] = []
    for statement in body:
        if isinstance(statement, ast.Assign):
            names += [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.append(statement.target.id)
    return names
