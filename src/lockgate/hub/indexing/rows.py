"""What the index holds of runs and jobs, as values."""

from __future__ import annotations

from typing import Literal

import msgspec

#: `received`: a push is being judged or its refs are being written; not yet a run to work on.
RowState = Literal[
    "received", "queued", "preparing", "running", "recording", "succeeded", "failed", "cancelled"
]


class Proof(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a run that verifies another is to do; the stages are those of the request."""

    run: str
    """The run that is verified."""
    is_fresh: bool = False
    """Build the runtime anew, with empty caches, for this run alone."""
    stages: tuple[str, ...] = ()
    """Run these alone, on what the verified run's stages above them made; none: everything anew."""
    seeks_cause: bool = True
    """Where something differs, run its stage again with one thing changed at a time."""


class Request(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked of a run when it was pushed; with the commit, all it takes to run it."""

    id: str
    project: str
    ref: str
    commit: str
    member: str
    params: dict[str, str] = {}
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    backend: str | None = None
    memory_bytes: int | None = None
    """With `walltime_s` and `cpus`: what the stages asked for get in this run, whatever the project says."""
    walltime_s: int | None = None
    cpus: int | None = None
    proof: Proof | None = None
    """Given: this run verifies another, and what it makes replaces nothing."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as queries show it. Times: seconds since the epoch."""

    number: int
    request: Request
    state: RowState
    created_at: float
    started_at: float | None
    ended_at: float | None
    cause: str | None
    result_commit: str | None
    has_moved_branch: bool
    cancelled_by: str | None = None
    """Who asked for it to end."""
    receipt: tuple[str, ...] = ()
    """The lines of the plan and the forecast that were handed out with it."""


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    stage: str
    state: str
    reason: str
    cause: str | None
    reused_from: str | None
    started_at: float | None
    ended_at: float | None
    peak_memory_bytes: int | None
    waits_for: str | None = None
    """Why it is not running yet, in words."""
    progress: str | None = None
    """How far it has come, in words, where its backend can tell."""
