"""Notebook stages: what they make without saying so, and the command that runs them."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Mapping, Sequence

from lockgate.project.pipeline import Scalar, Stage
from lockgate.runs.jobscript import PROGRAMS

#: Where the runner lies in a job's folder.
RUNNER_FILE = f"{PROGRAMS}/notebook.py"


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
