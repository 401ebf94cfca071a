"""Reading what a job and its wrapper left in its folder."""

from __future__ import annotations

import os

from lockgate.backends.settlement import Traces
from lockgate.backends.wrapper import ENDING, PEAK
from lockgate.runs import exitrecord


def has_traces(folder: str) -> bool:
    """Return whether the job in this folder has begun."""
    return os.path.exists(f"{folder}/{exitrecord.PID}")  # noqa: PTH110


def read_traces(folder: str) -> Traces:
    """Return what is in the folder of a job; all None where it never began."""
    peak = _read(f"{folder}/{PEAK}")
    return Traces(
        own=exitrecord.read_raw(folder),
        started_at=exitrecord.started(folder),
        ending=_read(f"{folder}/{ENDING}"),
        peak_bytes=int(peak) if peak is not None and peak.isdigit() else None,
        is_writable=_is_writable(folder),
    )


def _is_writable(folder: str) -> bool:
    """Return whether this process may write to a job's folder; one that is gone is none to write to."""
    return os.access(folder, os.W_OK | os.X_OK) or not os.path.isdir(folder)  # noqa: PTH112


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(256).decode("ascii", "replace").strip()
    except OSError:
        return None
