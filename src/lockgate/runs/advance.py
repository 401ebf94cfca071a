"""How an event moves a run: `advance(run, event) -> (run, effects)`. No clock, no disk, no network.

An event that comes too late or twice changes nothing and asks for nothing, so a dispatcher may replay,
repeat and restart at any point.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from msgspec.structs import replace

from lockgate.errors import OutsideError
from lockgate.runs.run import (
    AT_BACKEND,
    ATTEMPTS_AT_MOST,
    FINAL_RUN_STATES,
    SETTLED_JOB_STATES,
    CancelJobs,
    CancelRequested,
    Collect,
    Decision,
    Effect,
    Event,
    Extended,
    Graph,
    JobCollected,
    JobEnded,
    JobFailed,
    JobRefused,
    JobStarted,
    JobStatus,
    Outcome,
    Planned,
    PreparationFailed,
    Prepare,
    PrepareStarted,
    Record,
    Recorded,
    Resolve,
    Resolved,
    Run,
    Submit,
)

Step = tuple[Run, tuple[Effect, ...]]


def advance(run: Run, event: Event) -> Step:
    """Return the run after the event, and what is to be done now."""
    if run.state in FINAL_RUN_STATES:
        return run, ()
    before = replace(run, moved=()) if run.moved else run
    after, effects = _advance(event, before)
    return (run if after is before else after), effects


def effects_due(run: Run) -> tuple[Effect, ...]:
    """Return all that a run in this state still asks for: what a dispatcher that took it over must do.

    Jobs at a backend are not submitted again here; they are attached to. A job that was being collected is
    collected anew once its backend reports its end again.
    """
    if run.state == "queued":
        return ()
    if run.state == "preparing":
        return (Prepare(),)
    if run.state == "recording":
        return (Record(outcome_of(run)),)
    due: list[Effect] = [Resolve(stage) for stage, job in run.jobs.items() if job.state == "resolving"]
    if run.cancelled_by is not None:
        at_backend = tuple(stage for stage, job in run.jobs.items() if job.state in AT_BACKEND)
        due += [CancelJobs(at_backend)] if at_backend else []
    return tuple(due)


def outcome_of(run: Run) -> Outcome:
    """Return how a run ends, or has ended, whose jobs are all settled."""
    if run.cancelled_by is not None:
        return "cancelled"
    return "failed" if run.has_failed else "succeeded"


@singledispatch
def _advance(event: Event, run: Run) -> Step:
    raise OutsideError(
        f"run {run.id}: an event of unknown kind {type(event).__name__}",
        "The hub's index was written by a newer Lockgate: update this one.",
        code="event-unknown",
    )


@_advance.register
def _(event: PrepareStarted, run: Run) -> Step:
    if run.state != "queued":
        return run, ()
    return replace(run, state="preparing"), (Prepare(),)


@_advance.register
def _(event: PreparationFailed, run: Run) -> Step:
    if run.state != "preparing":
        return run, ()
    return replace(run, state="recording", has_failed=True, cause=event.cause), (Record("failed"),)


@_advance.register
def _(event: Planned, run: Run) -> Step:
    if run.state != "preparing":
        return run, ()
    dependents: dict[str, list[str]] = {stage: [] for stage in event.upstream}
    for stage, above in event.upstream.items():
        for other in above:
            dependents[other].append(stage)
    graph = Graph(event.upstream, {stage: tuple(below) for stage, below in dependents.items()})
    jobs = {stage: JobStatus(waits_for=len(above)) for stage, above in event.upstream.items()}
    run = replace(run, state="running", graph=graph, jobs=jobs, unsettled=len(jobs), moved=tuple(jobs))
    return _decide(run, event.decisions)


@_advance.register
def _(event: Resolved, run: Run) -> Step:
    if _state(run, event.decision.stage) != "resolving":
        return run, ()
    return _decide(run, (event.decision,))


@_advance.register
def _(event: JobRefused, run: Run) -> Step:
    if _state(run, event.stage) not in AT_BACKEND:
        return run, ()
    return _settle_badly(run, event.stage, event.cause)


@_advance.register
def _(event: JobStarted, run: Run) -> Step:
    if _state(run, event.stage) != "submitted" or event.attempt != run.jobs[event.stage].attempt:
        return run, ()
    job = replace(run.jobs[event.stage], state="running", native_id=event.native_id)
    return _with_jobs(run, {event.stage: job}), ()


@_advance.register
def _(event: JobEnded, run: Run) -> Step:
    if _state(run, event.stage) not in AT_BACKEND | {"collecting"}:
        return run, ()
    job = run.jobs[event.stage]
    if event.attempt != job.attempt:
        return run, ()
    if event.exit.cause == "vanished" and job.attempt < ATTEMPTS_AT_MOST and run.cancelled_by is None:
        job = replace(job, state="submitted", attempt=job.attempt + 1, native_id=None)
        return _with_jobs(run, {event.stage: job}), (Submit((event.stage,)),)
    job = replace(job, state="collecting")
    return _with_jobs(run, {event.stage: job}), (Collect(event.stage, event.exit),)


@_advance.register
def _(event: JobCollected, run: Run) -> Step:
    if _state(run, event.stage) != "collecting":
        return run, ()
    job = replace(run.jobs[event.stage], state="succeeded")
    run = _with_jobs(run, {event.stage: job}, settled=1)
    return _release(run, (event.stage,))


@_advance.register
def _(event: JobFailed, run: Run) -> Step:
    if _state(run, event.stage) not in AT_BACKEND | {"collecting", "resolving"}:
        return run, ()
    if run.cancelled_by is not None and event.cause == "cancelled":
        job = replace(run.jobs[event.stage], state="cancelled", cause=event.cause)
        return _finish(_with_jobs(run, {event.stage: job}, settled=1))
    return _settle_badly(run, event.stage, event.cause)


@_advance.register
def _(event: CancelRequested, run: Run) -> Step:
    if run.state == "recording" or run.cancelled_by is not None:
        return run, ()
    cause = f"cancelled by {event.by}"
    run = replace(run, cancelled_by=event.by, cause=cause)
    if run.state in ("queued", "preparing"):
        return replace(run, state="recording"), (Record("cancelled"),)
    idle = {
        stage: replace(job, state="cancelled", cause=cause)
        for stage, job in run.jobs.items()
        if job.state in ("waiting", "resolving")
    }
    at_backend = tuple(stage for stage, job in run.jobs.items() if job.state in AT_BACKEND)
    run, effects = _finish(_with_jobs(run, idle, settled=len(idle)))
    return run, ((CancelJobs(at_backend), *effects) if at_backend else effects)


@_advance.register
def _(event: Extended, run: Run) -> Step:
    names = [decision.stage for decision in event.decisions if decision.stage not in run.jobs]
    if run.state != "recording" or run.cancelled_by is not None or not names:
        return run, ()
    none = dict.fromkeys(names, ())
    graph = Graph({**run.graph.upstream, **none}, {**run.graph.dependents, **none})
    run = replace(run, state="running", graph=graph, trials=run.trials.union(names))
    run = _with_jobs(run, {name: JobStatus() for name in names}, settled=-len(names))
    return _decide(run, [decision for decision in event.decisions if decision.stage in none])


@_advance.register
def _(event: Recorded, run: Run) -> Step:
    if run.state != "recording":
        return run, ()
    return replace(
        run,
        state=outcome_of(run),
        result_commit=event.result_commit,
        has_moved_branch=event.has_moved_branch,
    ), ()


def _state(run: Run, stage: str) -> str | None:
    job = run.jobs.get(stage)
    return job.state if job is not None else None


def _with_jobs(run: Run, changed: dict[str, JobStatus], settled: int = 0) -> Run:
    jobs = {**run.jobs, **changed}
    return replace(run, jobs=jobs, unsettled=run.unsettled - settled, moved=(*run.moved, *changed))


def _decide(run: Run, decisions: Iterable[Decision]) -> Step:
    """Take decisions: reuse settles a stage, anything else goes to its backend."""
    changed: dict[str, JobStatus] = {}
    reused: list[str] = []
    submitted: list[str] = []
    for decision in decisions:
        job = run.jobs[decision.stage]
        if decision.reused_from is not None:
            changed[decision.stage] = replace(
                job, state="cached", fingerprint=decision.fingerprint, reused_from=decision.reused_from
            )
            reused.append(decision.stage)
        elif job.waits_for == 0:
            changed[decision.stage] = replace(job, state="submitted", fingerprint=decision.fingerprint)
            submitted.append(decision.stage)
    run = _with_jobs(run, changed, settled=len(reused))
    run, effects = _release(run, reused)
    return run, ((Submit(tuple(submitted)), *effects) if submitted else effects)


def _release(run: Run, stages: Iterable[str]) -> Step:
    """Tell the dependents of stages that settled well; those with nothing left to wait for are resolved."""
    changed: dict[str, JobStatus] = {}
    for stage in stages:
        for below in run.graph.dependents[stage]:
            job = changed.get(below, run.jobs[below])
            changed[below] = replace(job, waits_for=job.waits_for - 1)
    ready = [stage for stage, job in changed.items() if job.state == "waiting" and job.waits_for == 0]
    for stage in ready:
        changed[stage] = replace(changed[stage], state="resolving")
    run, effects = _finish(_with_jobs(run, changed) if changed else run)
    return run, (*(Resolve(stage) for stage in ready), *effects)


def _settle_badly(run: Run, stage: str, cause: str) -> Step:
    """Fail a stage; everything below it, however far, is blocked; all else goes on."""
    changed = {stage: replace(run.jobs[stage], state="failed", cause=cause)}
    pending = [stage]
    while pending:
        for below in run.graph.dependents[pending.pop()]:
            job = run.jobs[below]
            if below not in changed and job.state not in SETTLED_JOB_STATES:
                changed[below] = replace(job, state="blocked", cause=f"{stage} failed")
                pending.append(below)
    if stage not in run.trials:
        run = replace(run, has_failed=True, cause=run.cause or f"{stage}: {cause}")
    return _finish(_with_jobs(run, changed, settled=len(changed)))


def _finish(run: Run) -> Step:
    if run.unsettled == 0 and run.state == "running":
        run = replace(run, state="recording")
        return run, (Record(outcome_of(run)),)
    return run, ()
