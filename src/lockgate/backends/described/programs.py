"""Running the commands of a described batch system."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO

import msgspec

from lockgate.errors import OutsideError

_STEADY = {"LC_ALL": "C", "LANGUAGE": "C"}


class Said(msgspec.Struct, frozen=True):
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        return f"{self.output}\n{self.errors}".strip()


def run(argv: list[str], *, environment: Mapping[str, str], timeout_s: float, where: str) -> Said:
    """Run a command without a shell, its input closed.

    Raises `OutsideError`: `backend-program` for a program that is not there, `backend-unreachable`
    (transient) for one that does not come back in time.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "LOCKGATE_"))}
    env = {**own, **_STEADY, **environment}
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise _missing(argv[0], where)
    # Files, not pipes: a program that leaves something behind in the background would keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        code = _wait([program, *argv[1:]], env, output, errors, timeout_s=timeout_s, where=where)
        return Said(code, _content(output), _content(errors))


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _wait(
    argv: list[str],
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes],
    *,
    timeout_s: float,
    where: str,
) -> int:
    try:
        done = subprocess.run(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutsideError(
            f"{argv[0]} did not come back within {timeout_s:.0f} s",
            f"It is tried again. Where the system is merely slow, raise timeout in {where}.",
            code="backend-unreachable",
            is_transient=True,
        ) from None
    except OSError as error:
        raise OutsideError(
            f"{argv[0]} could not be run: {error.strerror}",
            f"Correct {where} in lockgate.toml, or what it names on the hub's machine.",
            code="backend-program",
            is_transient=True,
        ) from None
    return done.returncode


def _missing(program: str, where: str) -> OutsideError:
    return OutsideError(
        f"there is no program {program!r} on the hub's machine, which {where} calls",
        f"Install it there, or write its whole path, or set PATH under environment in {where}.",
        code="backend-program",
        is_transient=True,
    )
