"""What a batch system must offer to run jobs. Entry points `lockgate.backends` name a factory of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.runs.job import ExitRecord, Job


class Started(msgspec.Struct, frozen=True):
    """The job left the backend's queue and runs under this native id."""

    folder: str
    native_id: str


class Ended(msgspec.Struct, frozen=True):
    folder: str
    exit: ExitRecord


class Backend(Protocol):
    """Runs jobs. No call waits for a job; every call may be repeated.

    Errors are `OutsideError`, with `is_transient` where trying again later may help.
    """

    def room(self) -> int | None:
        """Return how many more jobs it wants to hold now; None: any number."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take jobs; each runs once, whatever how often it is submitted, also by a later process."""

    def attach(self, jobs: Sequence[Job]) -> None:
        """Take up jobs that an earlier process submitted: running ones are watched again, ended ones
        reported, never-started ones started."""

    def poll(self) -> Sequence[Started | Ended]:
        """Return what happened since the last call, in order; nothing is reported twice."""

    def cancel(self, folders: Sequence[str]) -> None:
        """End these jobs with every process they started; they are then reported as ended."""

    def why_pending(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Return, in words, why each of these jobs is not running yet."""

    def progress(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Return, in words, how far each of these running jobs has come, where that is known."""

    def refuses(self, job: Job) -> str | None:
        """Return in words why this job could never start here, or None."""

    def wake_fds(self) -> Sequence[int]:
        """Return file descriptors that become readable when `poll` has news."""

    def poll_interval_s(self) -> float | None:
        """Return after how long `poll` wants to be called though nothing woke; None: never."""

    def close(self) -> None:
        """Let go of everything but the running jobs, which go on."""
