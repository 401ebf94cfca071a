"""How a trial holds its factor: what its job gets besides, and how its command is called."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lockgate.runs.jobscript import PROGRAMS, THREADS, quoted
from lockgate.verify.cause import factor_of

#: Below a job's folder; holds the `sitecustomize.py` that Python loads first.
HOLD_FOLDER = f"{PROGRAMS}/hold"


class Hold(msgspec.Struct, frozen=True):
    environment: dict[str, str] = {}
    is_alone: bool = False
    """The command gets no variables but the job's own."""


def hold(trial: str, at_epoch_s: float) -> Hold:
    """Return how a trial holds its factor; `at_epoch_s`: the time at which a held clock stands."""
    factor = factor_of(trial)
    time = f"time={int(at_epoch_s)}"
    single = dict.fromkeys(THREADS, "1")
    match factor:
        case "time":
            return Hold({"LOCKGATE_HOLD": time})
        case "threads":
            return Hold({"LOCKGATE_HOLD": "threads", **single})
        case "seed" | "hash" | "locale" | "other-locale":
            return Hold({"LOCKGATE_HOLD": factor})
        case "all":
            return Hold({"LOCKGATE_HOLD": f"hash,{time},seed,threads", **single})
        case "variables":
            return Hold(is_alone=True)
        case _:
            return Hold()


def alone(command: str, names: Iterable[str]) -> str:
    """Return a command that runs `command` with these variables and no others."""
    kept = " ".join(f'{name}="${name}"' for name in names)
    return f"env -i {kept} /bin/sh -c {quoted(command)}"
