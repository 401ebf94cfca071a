"""Building the index anew from every project's chain and queue."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from lockgate.activity.chain import FILE_NAME, entry_ids, parse, read
from lockgate.activity.entry import Activity
from lockgate.data.acceptance import ACCEPTED
from lockgate.data.certification import CERTIFIED, WITHDRAWN
from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import read_many
from lockgate.git.program import attempt, git
from lockgate.hub.datasets.accepting import acceptance_of
from lockgate.hub.datasets.certifying import certification_of
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import JobRow, Request, RunRow
from lockgate.hub.queue import QUEUE, ensure_dispatcher
from lockgate.hub.running.dispatcher import DispatcherLock
from lockgate.hub.running.recording import VERIFICATION
from lockgate.runs.cost import Cost
from lockgate.runs.job import ExitRecord
from lockgate.runs.observation import Observation
from lockgate.runs.record import StageRecord
from lockgate.runs.run import Outcome
from lockgate.runs.runid import is_run_id, made_at
from lockgate.verify.report import Verification

#: A run's id tells when it was asked for, unless the clock that made it was off by more than this.
_CLOCK_TRUST_S = 86_400.0
_SIDES = ("", "-wal", "-shm")


class Reindexed(msgspec.Struct, frozen=True):
    """What the new index holds, and where the old one lies (None: there was none)."""

    run_count: int
    result_count: int
    queued_count: int
    old: str | None
    problems: tuple[str, ...]
    """What could not be read; everything else is in the index."""


class _Stage(msgspec.Struct, frozen=True):
    stage: str
    state: str
    reason: str = ""
    cause: str | None = None
    reused_from: str | None = None
    exit: ExitRecord | None = None
    observed: Observation | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of `run.finished`, as recording writes it."""

    request: Request
    outcome: Outcome
    started_at: str
    result: str | None = None
    has_moved_branch: bool = False
    cause: str | None = None
    stages: tuple[_Stage, ...] = ()
    records: tuple[StageRecord, ...] = ()


class Restored(msgspec.Struct, frozen=True):
    row: RunRow
    jobs: tuple[JobRow, ...]
    records: tuple[StageRecord, ...]
    kills: tuple[Cost, ...] = ()
    """Jobs that were killed for want of memory or time."""
    seen: Mapping[str, Observation] = {}
    """What stages really used."""


def reindex(hub: Hub, *, is_waking: bool = True) -> Reindexed:
    """Build the index anew, the old one moved aside; queued runs are queued again, the dispatcher woken for
    them.

    Raises `UserError` (`dispatcher-running`), `OutsideError` (`index-unavailable`, `git-failed`).
    """
    with DispatcherLock(hub) as lock:
        if not lock.acquire():
            raise UserError(
                "the hub's dispatcher is at work, and the index is its memory",
                "Wait until it has ended (it does when idle), or end it; jobs go on: lockgate hub doctor",
                code="dispatcher-running",
            )
        found, has_work = _build(hub)
    if has_work and is_waking:
        ensure_dispatcher(hub)
    return found


def _build(hub: Hub) -> tuple[Reindexed, bool]:
    draft = hub.index.with_name(hub.index.name + ".new")
    for side in _SIDES:
        Path(f"{draft}{side}").unlink(missing_ok=True)
    problems: list[str] = []
    index = Index(draft)
    runs, results = _restore_ended(hub, index, problems)
    queued = _restore_queue(hub, index, problems)
    _keep_received(hub, index)
    index.close()
    old = _swap(hub.index, draft)
    # A push may have been queued while this went on
    index = Index(hub.index)
    queued += _restore_queue(hub, index, [])
    has_work = bool(index.unfinished())
    index.close()
    return Reindexed(runs, results, queued, str(old) if old else None, tuple(problems)), has_work


def _restore_ended(hub: Hub, index: Index, problems: list[str]) -> tuple[int, int]:
    runs = results = 0
    for project in hub.projects():
        with index.transaction():
            restore_words(index, hub.repository(project), project, problems)
    streams = [ended_runs(hub.repository(project), project, problems) for project in hub.projects()]
    with index.transaction():
        for restored in heapq.merge(*streams, key=lambda each: each.row.created_at):
            index.restore_run(restored.row, restored.jobs)
            index.add_results(restored.row.request.project, restored.records)
            index.add_costs(restored.row.request.project, restored.kills)
            index.add_observations(restored.row.request.id, restored.seen)
            runs += 1
            results += len(restored.records)
    return runs, results


def restore_words(index: Index, repository: Path, project: str, problems: list[str]) -> None:
    """Add what the chain says of runs and data: verifications, certifications, accepted drift."""
    for found in _verifications(repository, problems):
        index.add_verification(project, found)
    for oid, said in _said_of_data(repository):
        try:
            if said.kind == ACCEPTED:
                index.add_acceptance(
                    project, acceptance_of(oid, said.by, said.at, said.commit, said.evidence)
                )
            else:
                index.add_certification(
                    project, certification_of(oid, said.kind, said.by, said.at, said.commit, said.evidence)
                )
        except msgspec.ValidationError as error:
            problems.append(f"{repository.stem}: entry {oid}: {error}")


def ended_runs(repository: Path, project: str, problems: list[str]) -> Iterator[Restored]:
    """Yield every run whose end the chain tells, oldest first; what cannot be read goes to `problems`."""
    try:
        ids = entry_ids(repository)[::-1]
    except OutsideError as error:
        problems.append(f"{project}: {error.message}")
        return
    for oid, found in zip(ids, read_many(repository, [f"{oid}:{FILE_NAME}" for oid in ids]), strict=True):
        try:
            if found is None:
                raise ValueError(f"it has no {FILE_NAME}")
            activity = parse(found.content)
            if activity.kind == "run.finished":
                yield restore(activity, project)
        except ValueError as error:
            problems.append(f"{project}: entry {oid}: {error}")


def _verifications(repository: Path, problems: list[str]) -> Iterator[Verification]:
    """Yield what the chain's verifications found."""
    try:
        for oid, activity in read(repository):
            if activity.kind == VERIFICATION:
                try:
                    yield msgspec.convert(activity.evidence, Verification)
                except msgspec.ValidationError as error:
                    problems.append(f"{repository.stem}: entry {oid}: {error}")
    except OutsideError:
        return  # told of where runs are looked for


def _said_of_data(repository: Path) -> list[tuple[str, Activity]]:
    """Return the entries of the chain that are about data, oldest first."""
    kinds = (ACCEPTED, CERTIFIED, WITHDRAWN)
    try:
        return [(oid, said) for oid, said in read(repository) if said.kind in kinds][::-1]
    except OutsideError:
        return []  # told of where runs are looked for


def restore(activity: Activity, project: str) -> Restored:
    """Return a run's rows from the activity of its end. Raises ValueError for evidence of another form."""
    ended = msgspec.convert(activity.evidence, Ended)
    # A project may have been renamed on the hub since
    request = msgspec.structs.replace(ended.request, project=project)
    jobs = tuple(_job(stage) for stage in ended.stages)
    started_at = _seconds(ended.started_at)
    # The chain tells whole seconds, jobs their fractions
    ended_at = max([_seconds(activity.at), *(job.ended_at for job in jobs if job.ended_at is not None)])
    row = RunRow(
        number=0,
        request=request,
        state=ended.outcome,
        created_at=_asked_at(request.id, started_at),
        started_at=started_at,
        ended_at=ended_at,
        cause=ended.cause,
        result_commit=ended.result,
        has_moved_branch=ended.has_moved_branch,
    )
    kills = tuple(
        Cost(each.stage, request.id, each.exit.cause, each.exit.duration_s, each.exit.peak_memory_bytes)
        for each in ended.stages
        if each.exit is not None and each.exit.cause in ("memory", "walltime")
    )
    seen = {each.stage: each.observed for each in ended.stages if each.observed is not None}
    return Restored(row, jobs, ended.records, kills, seen)


def _job(stage: _Stage) -> JobRow:
    exit_record = stage.exit or ExitRecord()
    return JobRow(
        stage=stage.stage,
        state=stage.state,
        reason=stage.reason,
        cause=stage.cause,
        reused_from=stage.reused_from,
        started_at=exit_record.started_at,
        ended_at=exit_record.ended_at,
        peak_memory_bytes=exit_record.peak_memory_bytes,
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _asked_at(run: str, started_at: float) -> float:
    if not is_run_id(run):
        return started_at
    asked_at = made_at(run)
    return asked_at if 0 <= started_at + 1 - asked_at < _CLOCK_TRUST_S else started_at


def _restore_queue(hub: Hub, index: Index, problems: list[str]) -> int:
    """Queue every request whose ref is left; let go the refs of runs whose end is on the chain."""
    count = 0
    for project in hub.projects():
        repository = hub.repository(project)
        for ref in sorted(git(repository, "for-each-ref", "--format=%(refname)", QUEUE).decode().split()):
            run = ref.removeprefix(QUEUE)
            row = index.run(run)
            if row is not None:
                if row.ended_at is not None:
                    attempt(repository, "update-ref", "-d", ref)
                continue
            try:
                content = git(repository, "cat-file", "tag", ref).partition(b"\n\n")[2]
                request = msgspec.json.decode(content, type=Request)
            except (ValueError, OutsideError) as error:
                problems.append(f"{project}: {ref}: {error}")
                continue
            index.add_run(request, "queued", made_at(run) if is_run_id(run) else 0.0)
            count += 1
    return count


def _keep_received(hub: Hub, index: Index) -> None:
    """Pushes under way are known to the old index alone; where it can be read, they stay known."""
    if not hub.index.exists():
        return
    with contextlib.suppress(OutsideError):
        old = Index(hub.index, is_read_only=True)
        for row in old.unfinished():
            if row.state == "received":
                index.add_run(row.request, "received", row.created_at, row.receipt)
        old.close()


def _swap(place: Path, draft: Path) -> Path | None:
    """Put the new index into place, the old one beside it under the next free number."""
    old: Path | None = None
    if place.exists():
        number = 1
        while (old := place.with_name(f"{place.name}.old-{number}")).exists():
            number += 1
        for side in _SIDES:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{place}{side}").rename(f"{old}{side}")
    draft.rename(place)
    return old
