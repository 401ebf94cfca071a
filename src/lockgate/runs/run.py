"""A run as a value: its state, its jobs' states, the events that move it, the effects it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from lockgate.runs.job import ExitRecord

RunState = Literal["queued", "preparing", "running", "recording", "succeeded", "failed", "cancelled"]
JobState = Literal[
    "waiting", "resolving", "submitted", "running", "collecting", "succeeded", "cached", "failed",
    "cancelled", "blocked",
]  # fmt: skip
Outcome = Literal["succeeded", "failed", "cancelled"]

FINAL_RUN_STATES: frozenset[RunState] = frozenset({"succeeded", "failed", "cancelled"})
SETTLED_JOB_STATES: frozenset[JobState] = frozenset({"succeeded", "cached", "failed", "cancelled", "blocked"})
#: A job that its backend lost is submitted so often, the first time included.
ATTEMPTS_AT_MOST = 2
AT_BACKEND: frozenset[JobState] = frozenset({"submitted", "running"})


class Graph(msgspec.Struct, frozen=True):
    """Who waits for whom, both ways round. Every stage of the run is a key of both."""

    upstream: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]


class JobStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    state: JobState = "waiting"
    waits_for: int = 0
    """How many upstream stages are not settled well yet."""
    fingerprint: str | None = None
    native_id: str | None = None
    attempt: int = 1
    """Counts the times it was submitted anew because its backend had lost it."""
    reused_from: str | None = None
    """The run whose artifacts it takes."""
    cause: str | None = None


class Run(msgspec.Struct, frozen=True):
    """One execution of a pipeline at one snapshot. Events change it, nothing else does."""

    id: str
    state: RunState = "queued"
    graph: Graph = Graph({}, {})
    jobs: Mapping[str, JobStatus] = {}
    unsettled: int = 0
    has_failed: bool = False
    cancelled_by: str | None = None
    cause: str | None = None
    result_commit: str | None = None
    has_moved_branch: bool = False
    moved: tuple[str, ...] = ()
    """The stages whose job the newest event changed."""
    trials: frozenset[str] = frozenset()
    """Jobs that were added to find out something; how they end does not decide how the run does."""


# Events: what happened. Each carries all it needs, so that a run can be replayed from them.


class PrepareStarted(msgspec.Struct, frozen=True, tag=True):
    """The dispatcher took the run up."""


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """What planning found for a stage whose needs are all known; `reused_from` None: it must run."""

    stage: str
    fingerprint: str
    reused_from: str | None = None


class Planned(msgspec.Struct, frozen=True, tag=True):
    upstream: dict[str, tuple[str, ...]]
    decisions: tuple[Decision, ...]


class PreparationFailed(msgspec.Struct, frozen=True, tag=True):
    cause: str


class Resolved(msgspec.Struct, frozen=True, tag=True):
    decision: Decision


class JobRefused(msgspec.Struct, frozen=True, tag=True):
    stage: str
    cause: str


class JobStarted(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    stage: str
    native_id: str
    attempt: int = 1


class JobEnded(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    stage: str
    exit: ExitRecord
    attempt: int = 1
    """Which submission of the job it was; news of one that was given up change nothing."""


class JobCollected(msgspec.Struct, frozen=True, tag=True):
    stage: str


class JobFailed(msgspec.Struct, frozen=True, tag=True):
    """It ended badly, or what it left could not be accepted; `cause` says why in words."""

    stage: str
    cause: str


class CancelRequested(msgspec.Struct, frozen=True, tag=True):
    by: str


class Extended(msgspec.Struct, frozen=True, tag=True):
    """All jobs have settled, and what they left asks for these further ones. None waits for another."""

    decisions: tuple[Decision, ...]


class Recorded(msgspec.Struct, frozen=True, tag=True):
    result_commit: str | None
    has_moved_branch: bool


Event = (
    PrepareStarted | Planned | PreparationFailed | Resolved | JobRefused | JobStarted | JobEnded
    | JobCollected | JobFailed | CancelRequested | Extended | Recorded
)  # fmt: skip


# Effects: what is to be done. Each may be done again after a crash without harm.


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Lock and build the runtime, plan, answer with `Planned` or `PreparationFailed`."""


class Resolve(msgspec.Struct, frozen=True, tag=True):
    """All needs of the stage are there: fingerprint it, look it up, answer with `Resolved`."""

    stage: str


class Submit(msgspec.Struct, frozen=True, tag=True):
    """Hand these stages' jobs to their backend."""

    stages: tuple[str, ...]


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Take in what the job left, answer with `JobCollected` or `JobFailed`."""

    stage: str
    exit: ExitRecord


class CancelJobs(msgspec.Struct, frozen=True, tag=True):
    stages: tuple[str, ...]


class Record(msgspec.Struct, frozen=True, tag=True):
    """Make the result commit and the activity, answer with `Recorded`."""

    outcome: Outcome


Effect = Prepare | Resolve | Submit | Collect | CancelJobs | Record
