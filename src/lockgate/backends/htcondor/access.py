"""An access point of HTCondor's: by the bindings where they work, else by the commands."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from typing import Literal, Protocol

from lockgate.backends.htcondor.answers import Ad
from lockgate.backends.htcondor.commands import Commands
from lockgate.backends.htcondor.place import Place
from lockgate.errors import LockgateError, UserError

Way = Literal["auto", "bindings", "commands"]


class AccessPoint(Protocol):
    """What is asked of a schedd; see `commands.Commands`."""

    def submit(self, description: str, place: Place) -> tuple[int, int]: ...

    def query(self, constraint: str, attributes: Sequence[str], place: Place) -> list[Ad]: ...

    def history(self, constraint: str, attributes: Sequence[str], limit: int, place: Place) -> list[Ad]: ...

    def remove(self, constraint: str, reason: str, place: Place) -> None: ...

    def analyse(self, native_ids: Sequence[str], place: Place) -> str: ...


def choose(way: Way, place: Place) -> AccessPoint:
    """Return the way to HTCondor. Of `auto`, the bindings if they are installed and the access point answers
    them (another version's may fail to prove who asks), else the commands.

    Raises `UserError` (`htcondor-missing`) for bindings that are not installed, and what the access point's
    silence raises where neither way is open: the next call chooses again.
    """
    if way == "commands":
        return Commands()
    has_bindings = importlib.util.find_spec("htcondor2") is not None
    if way == "bindings" and not has_bindings:
        raise UserError(
            "HTCondor's Python bindings are not installed beside the hub",
            "Install them: pip install htcondor",
            code="htcondor-missing",
        )
    if not has_bindings:
        return Commands()
    from lockgate.backends.htcondor.bindings import Bindings  # noqa: PLC0415 - 50 MB of library

    bindings = Bindings()
    if way == "bindings" or shutil.which("condor_submit") is None:
        return bindings
    try:
        bindings.query("false", ("ClusterId",), place)
    except LockgateError:
        commands = Commands()
        commands.query("false", ("ClusterId",), place)
        return commands
    return bindings
