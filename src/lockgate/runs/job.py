"""A job: one stage of a run as a backend sees it, and what is left of it when it has ended."""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.project.pipeline import Resources

Cause = Literal["memory", "walltime", "cancelled", "vanished", "refused"]


class Job(msgspec.Struct, frozen=True):
    """What a backend needs to run one stage; `folder` holds job.sh, workspace/, output.log, exit.json."""

    run: str
    stage: str
    folder: str
    """Absolute path; unique to the job, and its key: the same job submitted twice runs once."""
    resources: Resources
    options: dict[str, object] = {}
    """The table `[batch.NAME]` of the backend it goes to."""
    runtime: str = ""
    """The digest of what it runs in; a backend that brings it to its workers brings one to a batch."""


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended. Times are seconds since the epoch; None: not known."""

    code: int | None = None
    """The exit code; None when a signal or the backend ended it."""
    signal: int | None = None
    cause: Cause | None = None
    """Why Lockgate or the backend ended it; None: it ended by itself."""
    detail: str | None = None
    """The cause in words, as `killed at 1.2 GB, asked for 1 GB`."""
    started_at: float | None = None
    ended_at: float | None = None
    peak_memory_bytes: int | None = None
    cpu_time_s: float | None = None

    @property
    def duration_s(self) -> float | None:
        if self.started_at is None or self.ended_at is None:
            return None
        return round(max(0.0, self.ended_at - self.started_at), 3)

    @property
    def is_success(self) -> bool:
        return self.code == 0 and self.cause is None
