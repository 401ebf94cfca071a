"""Asking the `lockgate` program, and its answer in JSON. Any Python may ask, whatever it has installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from lockgate.errors import LockgateError, OutsideError, UserError

#: Of a kernel's environment: they would lead the program's Python to packages of another.
_ASTRAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_MISSING_HINT = "Install it where this runs: pip install lockgate"


def program() -> list[str]:
    """Return the words that start `lockgate`: that of the server that started this kernel, or the one here.

    Raises `OutsideError` (`program-missing`).
    """
    if named := os.environ.get("LOCKGATE_PYTHON"):
        return [named, "-m", "lockgate"]
    beside = os.path.join(os.path.dirname(sys.executable), "lockgate")  # noqa: PTH118, PTH120
    found = beside if os.access(beside, os.X_OK) else shutil.which("lockgate")
    if found is None:
        raise OutsideError("the program lockgate is not installed", _MISSING_HINT, code="program-missing")
    return [found]


def ask(
    words: Sequence[str], stdin: str | None = None, tell: Callable[[dict[str, Any]], None] | None = None
) -> Any:
    """Return what `lockgate WORDS` answers with `--json`, put behind them where it is not among them.

    `tell` is given what happens meanwhile, where the command says so.

    Raises `UserError` and `OutsideError` as the program does, and `OutsideError` (`program-failed`).
    """
    code, out, said = _run([*words, *([] if "--json" in words else ["--json"])], stdin, tell)
    try:
        answer = json.loads(out) if out.strip() else None
    except ValueError:
        answer = _lines(out)
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict) and len(answer) == 1:
        raise _error(answer["error"], code)
    if answer is None and code != 0:
        line = said.strip().splitlines()[-1:] or [f"exit code {code}"]
        raise OutsideError(
            f"lockgate {' '.join(words[:2])} failed: {line[0].removeprefix('Error: ')}",
            f"See what it takes: lockgate {words[0]} --help",
            code="program-failed",
        )
    return answer


def _run(
    words: Sequence[str], stdin: str | None, tell: Callable[[dict[str, Any]], None] | None
) -> tuple[int, str, str]:
    command = [*program(), *words]
    environment = {name: value for name, value in os.environ.items() if name not in _ASTRAY}
    # The answer may be larger than a pipe holds while the other one is read
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as given:
        given.write((stdin or "").encode("utf-8", "surrogateescape"))
        given.seek(0)
        try:
            process = subprocess.Popen(
                command, env=environment, stdin=given, stdout=out, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise OutsideError(
                f"{command[0]} cannot be started: {error.strerror}", _MISSING_HINT, code="program-missing"
            ) from None
        said = []
        try:
            assert process.stderr is not None
            with process.stderr as stream:
                for line in stream:
                    text = line.decode("utf-8", "replace")
                    if tell is None or not _is_told(text, tell):
                        said.append(text)
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        out.seek(0)
        return code, out.read().decode("utf-8", "replace"), "".join(said)


def _is_told(line: str, tell: Callable[[dict[str, Any]], None]) -> bool:
    try:
        news = json.loads(line)
    except ValueError:
        return False
    if not isinstance(news, dict):
        return False
    tell(news)
    return True


def _lines(out: str) -> Any:
    try:
        return [json.loads(line) for line in out.splitlines()]
    except ValueError:
        raise OutsideError(
            "lockgate answered what is no JSON",
            "Is another program of that name first on PATH? See: lockgate --version",
            code="program-failed",
        ) from None


def _error(told: dict[str, str], code: int) -> LockgateError:
    kind = UserError if code == UserError.exit_code else OutsideError
    return kind(told.get("message", ""), told.get("hint", ""), code=told.get("code", "program-failed"))
