"""Running the programs of a batch system: no shell, no input, a bounded time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

import msgspec

from lockgate.errors import OutsideError


class Said(msgspec.Struct, frozen=True):
    """What a program printed, and its exit code."""

    code: int
    content: bytes
    errors: str

    @property
    def output(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        return f"{self.output}\n{self.errors}".strip()


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """Where a system's programs do not run: the codes of the errors, and what to do."""

    missing_code: str
    unreachable_code: str
    install: str
    start: str = "Make room on the hub's host; it is tried again."
    wait: str
    is_tried_again: bool = False
    """Whether a program that is not there may come."""


def run(words: Sequence[str], *, environment: Mapping[str, str], timeout_s: float, way_out: WayOut) -> Said:
    """Run a program with this environment.

    Raises `OutsideError`: `way_out.missing_code` for one that is not there or cannot be started, and
    `way_out.unreachable_code` (transient) for one that does not come back in time.
    """
    program = shutil.which(words[0], path=environment.get("PATH", os.defpath))
    if program is None:
        raise OutsideError(
            f"there is no program {words[0]} on the hub's host",
            way_out.install,
            code=way_out.missing_code,
            is_transient=way_out.is_tried_again,
        )
    # Files, not pipes: a program that leaves something behind in the background would keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        code = _wait([program, *words[1:]], environment, output, errors, timeout_s, way_out)
        return Said(code, _content(output), _content(errors).decode("utf-8", "replace"))


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _wait(
    words: list[str],
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes],
    timeout_s: float,
    way_out: WayOut,
) -> int:
    try:
        done = subprocess.run(
            words,
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
            f"{words[0]} did not come back within {timeout_s:.0f} s",
            way_out.wait,
            code=way_out.unreachable_code,
            is_transient=True,
        ) from None
    except OSError as error:
        raise OutsideError(
            f"{words[0]} cannot be started: {error.strerror}",
            way_out.start,
            code=way_out.missing_code,
            is_transient=True,
        ) from None
    return done.returncode
