"""A hub behind ssh, asked by its own command line: one call, one JSON answer."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub.reaching.address import RemoteHub

_T = TypeVar("_T")


class _Told(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str = ""


class _Refused(msgspec.Struct, frozen=True):
    error: _Told


def ask_over_ssh(
    place: RemoteHub, arguments: Sequence[str], kind: type[_T], answering: Sequence[int] = (0,)
) -> _T:
    """Return what `lockgate ARGUMENTS --json` answers there, as this type.

    `answering`: the exit codes of an answer; with any other it refuses.

    Raises what it refuses with, by its own code; `OutsideError`: `ssh-missing`, `hub-unreachable`.
    """
    words = place.words([*arguments, "--json"])
    try:
        ended = subprocess.run(
            words, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise place.no_ssh(words[0]) from None
    try:
        if ended.returncode in answering:
            return msgspec.json.decode(ended.stdout, type=kind)
        told = msgspec.json.decode(ended.stdout, type=_Refused).error
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise place.no_answer() from None
    raised = UserError if ended.returncode == UserError.exit_code else OutsideError
    raise raised(told.message, told.hint, code=told.code)


def lines_over_ssh(place: RemoteHub, arguments: Sequence[str]) -> Iterator[bytes]:
    """Yield the lines that `lockgate ARGUMENTS --json` prints there, as they come.

    Raises `OutsideError` (`ssh-missing`).
    """
    words = place.words([*arguments, "--json"])
    try:
        asked = subprocess.Popen(
            words,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise place.no_ssh(words[0]) from None
    assert asked.stdout is not None
    with asked:
        try:
            yield from asked.stdout
        finally:
            asked.kill()
