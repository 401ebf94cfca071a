"""A batch system as Lockgate sees it: few calls, each for many jobs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from lockgate.runs.job import ExitRecord, Job

#: In a batch's folder: a link to the folder of each job, by its number from 0 on.
MEMBERS = "members"


class Batch(msgspec.Struct, frozen=True):
    """Jobs of equal resources, options and runtime, handed over in one call: an array where there is one."""

    key: str
    """What the jobs are called at the system; unique, `[A-Za-z0-9-]`, at most 40 characters."""
    folder: str
    """Where the submission's files are written; there already, with `members`, and shared."""
    jobs: tuple[Job, ...]


class Submitted(msgspec.Struct, frozen=True):
    """A job that the system has accepted."""

    job: Job
    key: str
    native_id: str
    submitted_at: float
    """Seconds since the epoch."""


class Seen(msgspec.Struct, frozen=True):
    """What the system says of one job."""

    state: Literal["pending", "running", "ended", "unknown"]
    """`unknown`: a word of the system's that we do not know, told in `reason` and never guessed at."""
    key: str | None = None
    """What the job is called; another name than ours: the system gave its id to somebody else's job.
    None: the system does not say."""
    reason: str = ""
    """Of a job that is pending or held: why, in words that fit behind the stage's name."""
    exit: ExitRecord | None = None
    """Of a job that ended: what the system knows of how. The job's own record supplies what is missing."""


class BatchSystem(Protocol):
    """Calls may block: `BatchBackend` makes them one at a time on a thread of its own.

    Each raises `OutsideError` with `is_transient` where the system cannot be reached, `OutsideError`
    without it for an answer that is not understood, and `UserError` for what the lead must mend.
    """

    name: str
    """How the system is called in words, as `Slurm`."""
    keeps_walltime: bool
    """Whether the system ends a job within seconds of its walltime; else the wrapper around it does."""

    @property
    def keeps_memory(self) -> bool:
        """Whether the system ends a job that uses more memory than it asked for; else the wrapper does. May
        ask the system."""

    @property
    def ends_leftovers(self) -> bool:
        """Whether nothing a job started outlives it, daemons included; else the wrapper looks for them. May
        ask the system."""

    def refuses(self, job: Job) -> str | None:
        """Return in words why this job could never run here, or None. Asks nobody."""

    def batch_limit(self) -> int:
        """Return how many jobs one batch may have."""

    def submit(self, batch: Batch) -> Sequence[str]:
        """Hand over all jobs of a batch; return their native ids in the order of `batch.jobs`.

        Raises `UserError` where the system refuses these jobs; its own words are the message.
        """

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        """Return by key the native ids, in order, of those batches that the system knows: asked after a
        crash between a submission and the note of it. A batch it does not know is left out."""

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        """Return what the system says of these jobs, by native id; one call, however many.

        A job it has no trace of is left out: it was never there, or is long forgotten.
        """

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        """End these jobs, also pending ones; those that are gone are no error."""

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        """Return more words on why pending jobs wait, by native id; dear, and asked rarely. May be empty."""

    def bring(self, job: Submitted) -> None:
        """Bring what an ended job left into its folder, where workers share no files with the hub; nothing
        to do where they do. Called once the job is seen as ended; may be called again."""

    def wake_fd(self) -> int | None:
        """Return a file descriptor that becomes readable when `look` has news, or None."""

    def look_interval_s(self) -> float:
        """Return the shortest time between two looks that costs the system no harm."""

    def close(self) -> None:
        """Let go of everything but the jobs."""
