"""Every state a Slurm job can be in, and what it means here. Pure.

Sources: squeue(1) and sacct(1), "JOB STATE CODES", and "Job State Codes" of the online manual, Slurm 20.02
to 26.05; `job_state_string` of src/common/slurm_protocol_defs.c.
"""

from __future__ import annotations

import re

from lockgate.backends.slurm.reasons import reason_words
from lockgate.backends.slurm.script import memory_mib
from lockgate.backends.system import Seen
from lockgate.project.pipeline import Resources
from lockgate.project.quantities import duration_words, size_words
from lockgate.runs.job import Cause, ExitRecord

_SHORT = {
    "BF": "BOOT_FAIL",
    "CA": "CANCELLED",
    "CD": "COMPLETED",
    "CF": "CONFIGURING",
    "CG": "COMPLETING",
    "DL": "DEADLINE",
    "F": "FAILED",
    "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY",
    "PD": "PENDING",
    "PR": "PREEMPTED",
    "R": "RUNNING",
    "RD": "RESV_DEL_HOLD",
    "RF": "REQUEUE_FED",
    "RH": "REQUEUE_HOLD",
    "RQ": "REQUEUED",
    "RS": "RESIZING",
    "RV": "REVOKED",
    "S": "SUSPENDED",
    "SE": "SPECIAL_EXIT",
    "SI": "SIGNALING",
    "SO": "STAGE_OUT",
    "ST": "STOPPED",
    "TO": "TIMEOUT",
}

_HELD = "an administrator may let it go on (scontrol release)"

_PENDING = {
    "PENDING": "",
    "CONFIGURING": "waits for its nodes to start up",
    "POWER_UP_NODE": "waits for its nodes to be powered up",
    "EXPEDITING": "is about to be started, before all others",
    "REQUEUED": "was put back into the queue by Slurm",
    "REQUEUE_FED": "was put back into the queue of its federation",
    "REQUEUE_HOLD": f"was put back into the queue and is held there; {_HELD}",
    "SPECIAL_EXIT": f"was put back into the queue after a special exit code and is held there; {_HELD}",
    "RESV_DEL_HOLD": "is held: its reservation was deleted; choose another `reservation` in [batch.slurm]",
    "LAUNCH_FAILED": f"could not be launched on its node; {_HELD}, or cancel the run",
    "RECONFIG_FAIL": f"waits since its node could not be configured; {_HELD}, or cancel the run",
}
_RUNNING = {
    "RUNNING": "",
    "COMPLETING": "",
    "RESIZING": "",
    "SIGNALING": "",
    "UPDATE_DB": "",
    "STAGE_OUT": "its data are being staged out",
    "STOPPED": "was stopped by a signal, and keeps its cpus",
    "SUSPENDED": "is suspended by Slurm, for another job or by an administrator",
}
_ENDED: dict[str, tuple[Cause | None, str]] = {
    "COMPLETED": (None, ""),
    "FAILED": (None, ""),
    "CANCELLED": ("cancelled", ""),
    "TIMEOUT": ("walltime", ""),
    "OUT_OF_MEMORY": ("memory", ""),
    "BOOT_FAIL": ("vanished", "its node could not be booted"),
    "DEADLINE": ("vanished", "Slurm ended it for it could no longer meet its deadline"),
    "NODE_FAIL": ("vanished", "its node failed"),
    "PREEMPTED": ("vanished", "it had to make way for a job of higher priority"),
    "REVOKED": ("vanished", "it was started by another cluster of its federation"),
}
#: Of a job that is FAILED: the reasons that are its command's own doing, and no fault of Slurm's.
_OWN_DOING = ("None", "NonZeroExitCode", "RaisedSignal")
_SIGNAL = re.compile(r"RaisedSignal:(\d+)")
#: Slurm has codes of its own beyond the signals there are: 53, a job could not be launched; 125, no memory.
_NO_SIGNAL_FROM = 32

STATES = frozenset({*_PENDING, *_RUNNING, *_ENDED})
SHORT_STATES = frozenset(_SHORT)


def full_state(word: str) -> str:
    """Return a state's long name; `CANCELLED by 1000` and a `+` for truncation are sacct's."""
    first = word.strip().partition(" ")[0].rstrip("+")
    return _SHORT.get(first, first)


def has_ended(state: str) -> bool:
    return full_state(state) in _ENDED


def is_failure(state: str) -> bool:
    """Return whether a job came to its own end, and that was no good one."""
    return full_state(state) == "FAILED"


def seen(
    state: str,
    reason: str,
    key: str | None,
    resources: Resources,
    *,
    told: ExitRecord = ExitRecord(),  # noqa: B008 - frozen
    ender: str | None = None,
) -> Seen:
    """Return what a state and a reason of Slurm's say about a job.

    Parameters
    ----------
    told
        The times, the code, the memory that Slurm names.
    ender
        Of a cancelled job: by whom, in words.
    """
    name = full_state(state)
    if name in _PENDING:
        return Seen("pending", key, reason=_PENDING[name] or reason_words(reason))
    if name in _RUNNING:
        return Seen("running", key, reason=_RUNNING[name])
    if name not in _ENDED:
        return Seen("unknown", key, reason=f"Slurm says {state!r}, a state that Lockgate does not know")
    return Seen("ended", key, exit=_exit(name, reason, resources, told, ender))


def _exit(name: str, reason: str, resources: Resources, told: ExitRecord, ender: str | None) -> ExitRecord:
    cause, detail = _ENDED[name]
    code, peak_bytes = None, told.peak_memory_bytes
    number = told.signal if told.signal is not None and told.signal < _NO_SIGNAL_FROM else None
    if name == "COMPLETED":
        code = 0
    elif name == "FAILED":
        code = told.code
        number = number if number is not None else _signal_of(reason)
        if number is None and reason.partition(":")[0] not in _OWN_DOING:
            cause, detail = "vanished", f"Slurm could not run it: {reason_words(reason)}"
    elif name == "CANCELLED":
        detail = f"cancelled {ender}" if ender else ""
    elif name == "TIMEOUT":
        detail = _timeout_words(resources)
    elif name == "OUT_OF_MEMORY":
        peak_bytes, detail = _memory_words(resources, peak_bytes)
    return ExitRecord(
        code=code,
        signal=number,
        cause=cause,
        detail=detail or None,
        started_at=told.started_at,
        ended_at=told.ended_at,
        peak_memory_bytes=peak_bytes,
        cpu_time_s=told.cpu_time_s,
    )


def _timeout_words(resources: Resources) -> str:
    if resources.walltime_s is None:
        return "killed by Slurm at the time limit of its partition; say the stage's `walltime`"
    return f"killed after {duration_words(resources.walltime_s)}, the walltime asked for"


def _memory_words(resources: Resources, peak_bytes: int | None) -> tuple[int | None, str]:
    """A job is killed at its limit; what Slurm saw in between, once in a while, may be less."""
    asked = resources.memory_bytes
    if asked is None:
        at = f" at {size_words(peak_bytes)}" if peak_bytes else ""
        return peak_bytes, f"killed{at}, the memory that Slurm gives by default; say the stage's `memory`"
    used = max(peak_bytes or 0, memory_mib(asked) * 2**20)
    return used, f"killed at {size_words(used)}, asked for {size_words(asked)}"


def _signal_of(reason: str) -> int | None:
    """Read `RaisedSignal:9(Killed)`."""
    found = _SIGNAL.match(reason)
    return int(found[1]) if found and int(found[1]) < _NO_SIGNAL_FROM else None
