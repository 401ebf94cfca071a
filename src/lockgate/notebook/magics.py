"""`%load_ext lockgate`: the verbs as magics, a cell as a stage and back, a script as a batch job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from lockgate.errors import LockgateError, UserError
from lockgate.notebook import verbs
from lockgate.notebook.answer import Answer
from lockgate.notebook.program import ask
from lockgate.notebook.progress import shown
from lockgate.notebook.views import view_of

#: Completed behind `%lockgate`, with what their first argument is.
_COMMANDS: dict[str, str] = {
    "run": "stage",
    "status": "",
    "runs": "",
    "show": "run",
    "logs": "run",
    "why": "file",
    "compare": "run",
    "verify": "run",
    "cancel": "run",
    "fetch": "run",
    "trace": "file",
    "sync": "",
    "merge": "",
    "log": "",
    "data": "",
    "kernel": "",
    "backends": "",
}
_RUN_OPTIONS = ("--param", "--force", "--on", "--dry-run", "--memory", "--walltime", "--cpus", "--detach")
_BATCH_OPTIONS = ("--cpus", "--memory", "--walltime", "--on", "--needs", "--makes")
_STAGE_OPTIONS = ("--needs", "--makes", "--cpus", "--memory", "--walltime")
_RUNS_COMPLETED = 20


def load(shell: Any) -> None:
    """Register the magics and their completion in an IPython shell."""
    shell.register_magic_function(_lockgate, "line", "lockgate")
    shell.register_magic_function(_run_batch, "line", "run_batch")
    shell.register_magic_function(_stage, "cell", "stage")
    shell.register_magic_function(
        lambda line: shell.set_next_input(_back(line), replace=True), "line", "stage_back"
    )
    for name in ("lockgate", "run_batch", "stage", "stage_back"):
        for sign in ("%", "%%"):
            shell.set_hook("complete_command", _complete, str_key=f"{sign}{name}")


def _lockgate(line: str) -> Any:
    """Call a command: `%lockgate status`, `%lockgate run train --cpus 4`, `%lockgate why figure.png`."""
    words = _split(line)
    if not words:
        raise UserError("%lockgate needs a command", "As in: %lockgate status", code="magic-usage")
    if words[0] == "runs" and len(words) == 1:
        return verbs.runs()
    if words[0] == "logs":
        sys.stdout.write(verbs.logs(*words[1:3]))
        return None
    if words[0] == "run" and not {"--dry-run", "--detach"} & set(words):
        return _watched(words[1:], "run")
    value = ask(words)
    return Answer(value, view_of(words, value))


def _run_batch(line: str) -> Any:
    """Run a script as a batch job: `%run_batch --cpus 4 --makes out.csv train.py --depth 8`."""
    words = _split(line)
    if not words:
        raise UserError(
            "%run_batch needs a script", "As in: %run_batch --cpus 4 train.py", code="magic-usage"
        )
    return _watched(words, "batch")


def _stage(line: str, cell: str) -> Any:
    """Make the cell a stage: `%%stage clean --needs raw.csv --makes clean.csv`."""
    words = _split(line)
    value = ask(["stage", "write", *words], cell)
    return Answer(value, view_of(["stage", "write"], value))


def _back(line: str) -> str:
    """Put a stage's script back into a cell: `%stage_back clean`."""
    found = ask(["stage", "show", *_split(line)])
    options = "".join(
        f" --{key} {shlex.quote(path)}" for key in ("needs", "makes") for path in found[key] or ()
    )
    return f"%%stage {found['name']}{options}\n{found['source']}"


def _watched(words: Sequence[str], command: str) -> Answer:
    # Before what is given: behind a script, options would be the script's own
    with shown() as tell:
        value = ask([command, "--json", "--progress-json", *words], None, tell)
    return Answer(value, view_of(["run"], value))


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UserError(f"{line}: {error}", "Close the quotes.", code="magic-usage") from None


def _complete(_shell: Any, event: Any) -> list[str]:
    """Return what may follow on the line of one of our magics; IPython keeps what fits what is typed."""
    words = event.line.split()
    name = words[0].lstrip("%") if words else ""
    before = words[1:] if event.line.endswith(" ") else words[1:-1]
    try:
        return _candidates(name, before)
    except LockgateError:
        return []


def _candidates(name: str, before: Sequence[str]) -> list[str]:
    if name == "lockgate":
        if not before:
            return list(_COMMANDS)
        kind = _COMMANDS.get(before[0], "")
        options = list(_RUN_OPTIONS) if before[0] == "run" else []
        return options + (_stages() if kind == "stage" else _runs() if kind == "run" else [])
    if name == "run_batch":
        return list(_BATCH_OPTIONS)
    if name == "stage":
        return list(_STAGE_OPTIONS)
    return _stages() if name == "stage_back" else []


def _stages() -> list[str]:
    return [stage["name"] for stage in ask(["status", "--all"])["stages"]]


def _runs() -> list[str]:
    return ["latest", *(line["id"][-8:] for line in ask(["runs", "-n", str(_RUNS_COMPLETED)]))]
