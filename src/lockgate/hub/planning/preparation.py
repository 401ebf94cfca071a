"""From a request to a plan: the project at the commit, its runtime, what is known of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
from msgspec.structs import replace

from lockgate.errors import LockgateError
from lockgate.git.batch import Batch as GitBatch
from lockgate.git.defaultbranch import default_branch
from lockgate.git.listing import Listing
from lockgate.hub.batch_settings import default_manifest_in
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.planning.checking import check_runtime
from lockgate.hub.planning.replay import Replayed, RuntimeSource, allowances_in, replayed
from lockgate.hub.software.runtimes import Locked, Runtimes
from lockgate.hub.supplying.data_supply import Supply, Wanted
from lockgate.hub.supplying.drift_reference import references
from lockgate.project.pipeline import Batch, Pipeline, Stage
from lockgate.project.runtime import package_changes
from lockgate.project.snapshot import CommitSource
from lockgate.runs.checked import Reference, is_check, runtime_of
from lockgate.runs.load import Loaded, files_seen, load
from lockgate.runs.plan import Known, Plan, Planner
from lockgate.runs.reason import Failure
from lockgate.runs.record import StageRecord
from lockgate.verify.predictors import Predictor, predictors


class Prepared(msgspec.Struct, frozen=True):
    """A request with everything decided that can be decided before the first job."""

    request: Request
    loaded: Loaded
    runtime: Locked
    planner: Planner
    plan: Plan
    batch: Batch
    """As the default branch has it, whatever branch was pushed."""
    replayed: Replayed | None = None
    """The run that this one verifies; None: it verifies none."""
    predictors: Mapping[str, Predictor] = {}
    """Of a verification, the jobs that let models predict, by their names."""
    forced: frozenset[str] = frozenset()
    """The stages that run whatever is known."""
    check_runtime: Locked | None = None
    """What checks run in; None: there is none."""
    lacking: tuple[Wanted, ...] = ()
    """Data that the stages to be run need and the hub does not have yet."""
    references: Mapping[str, Reference] = {}
    """Name of a stage that checks for drift → what its table is compared with."""

    def backend_of(self, stage: str) -> str:
        """Return the backend a stage goes to: as asked at the push, as the stage says, else the batch's."""
        return self.request.backend or self.planner.stage(stage).backend or self.batch.backend

    def runtime_of(self, stage: Stage) -> Locked:
        """Return what a stage runs in."""
        return self.runtime if stage.checks is None or self.check_runtime is None else self.check_runtime

    @property
    def runtimes(self) -> tuple[Locked, ...]:
        """What must be built before the first job."""
        needs_own = any(stage.reused is None and is_check(stage.name) for stage in self.plan.stages)
        return (self.runtime, *((self.check_runtime,) if needs_own and self.check_runtime else ()))


def prepare(
    hub: Hub, index: Index, runtimes: Runtimes, request: Request, *, is_quarantined: bool = False
) -> Prepared:
    """Read the project at the commit, lock its runtime, plan its stages.

    Raises whatever is wrong in the project (`UserError`) or stands in the way (`OutsideError`).
    """
    with GitBatch(hub.repository(request.project), is_quarantined=is_quarantined) as batch:
        return _prepare(hub, index, runtimes, request, batch, is_quarantined=is_quarantined)


def _prepare(
    hub: Hub, index: Index, runtimes: Runtimes, request: Request, batch: GitBatch, *, is_quarantined: bool
) -> Prepared:
    source = CommitSource(batch.repository, request.commit, is_quarantined=is_quarantined, batch=batch)
    loaded = load(source, request.params, request.project, Supply(hub, request.project))
    loaded = replace(loaded, pipeline=_with_resources(loaded.pipeline, request))

    def read(path: str) -> bytes | None:
        return source.read([path]).get(path)

    pipeline = loaded.pipeline
    has_notebooks = any(stage.notebook is not None for stage in pipeline.stages)
    if request.proof is not None:
        return _prepare_proof(hub, index, runtimes, request, batch, source, loaded)
    runtime = runtimes.locked(loaded.files, pipeline.runtime, read, has_notebooks)
    compared = references(
        index, batch, request.project, request.commit, pipeline, loaded.files, is_quarantined=is_quarantined
    )
    known = replace(_known(hub, index, runtimes, request, loaded, runtime), references=compared)
    checking = _check_runtime(runtimes, pipeline)
    planner = Planner(
        pipeline,
        loaded.inputs,
        runtime.digest,
        known,
        check_runtime=checking.digest if checking is not None else "",
    )
    plan = planner.plan(request.only, request.force)
    return Prepared(
        request=request,
        loaded=loaded,
        runtime=runtime,
        planner=planner,
        plan=plan,
        batch=_batch(batch, request, pipeline),
        check_runtime=checking,
        lacking=_lacking(hub, request, loaded, planner, plan),
        forced=planner.names(request.force),
        references=compared,
    )


def _prepare_proof(
    hub: Hub,
    index: Index,
    runtimes: Runtimes,
    request: Request,
    batch: GitBatch,
    source: CommitSource,
    loaded: Loaded,
) -> Prepared:
    """Prepare a verification: nothing is known but what the verified run recorded of stages left out."""
    assert request.proof is not None
    pipeline = loaded.pipeline
    has_notebooks = any(stage.notebook is not None for stage in pipeline.stages)
    earlier = replayed(hub, index, request.project, request.proof.run)
    kept = RuntimeSource(batch.repository, source, earlier.result)
    runtime = runtimes.locked(kept.files(), pipeline.runtime, kept.read, has_notebooks)
    recorded = {record.fingerprint: record for record in earlier.records.values()}
    # Under the recorded digest, fingerprints are those of then, whatever the hub's Python is now
    digest = runtime_of(earlier.records.values()) or runtime.digest
    checking = _check_runtime(runtimes, pipeline)
    of_checks = (record.runtime for record in earlier.records.values() if is_check(record.stage))
    predicting = predictors(pipeline.stages, earlier.records, allowances_in(source))
    planner = Planner(
        pipeline,
        loaded.inputs,
        digest,
        Known(recorded.get, lambda _: None),
        {name: predictor.stage for name, predictor in predicting.items()},
        check_runtime=next(of_checks, checking.digest if checking is not None else ""),
    )
    asked = request.proof.stages or tuple(earlier.records)
    forced = planner.names(asked)
    plan = planner.plan(asked, asked)
    return Prepared(
        request=request,
        loaded=loaded,
        runtime=runtime,
        planner=planner,
        plan=plan,
        batch=_batch(batch, request, pipeline),
        check_runtime=checking,
        lacking=_lacking(hub, request, loaded, planner, plan),
        replayed=earlier,
        predictors=predicting,
        forced=forced,
        references={
            record.stage: Reference(passed=record.compared_with, report=record.compared_with)
            for record in earlier.records.values()
            if record.compared_with is not None
        },
    )


def _check_runtime(runtimes: Runtimes, pipeline: Pipeline) -> Locked | None:
    return check_runtime(runtimes) if pipeline.checks else None


def _lacking(hub: Hub, request: Request, loaded: Loaded, planner: Planner, plan: Plan) -> tuple[Wanted, ...]:
    if not loaded.pointed:
        return ()
    return tuple(Supply(hub, request.project).lacking(planner, plan, loaded.pointed))


def _with_resources(pipeline: Pipeline, request: Request) -> Pipeline:
    """Give the stages asked for by name, or all, what the request says they get."""
    said = {"memory_bytes": request.memory_bytes, "walltime_s": request.walltime_s, "cpus": request.cpus}
    given = {name: amount for name, amount in said.items() if amount is not None}
    if not given:
        return pipeline
    only = set(request.only)
    stages = tuple(
        replace(stage, resources=replace(stage.resources, **given))
        if not only or only & {stage.name, stage.group}
        else stage
        for stage in pipeline.stages
    )
    return replace(pipeline, stages=stages)


def _known(
    hub: Hub, index: Index, runtimes: Runtimes, request: Request, loaded: Loaded, runtime: Locked
) -> Known:
    repository = hub.repository(request.project)
    # One query for a thousand stages: most of what is asked for is not there
    known = index.known(request.project)

    def find(fingerprint: str) -> StageRecord | None:
        if known is not None and fingerprint not in known[0]:
            return None
        return index.find_result(request.project, fingerprint)

    def previous(stage: str) -> StageRecord | None:
        if stage in loaded.lock:
            return loaded.lock[stage]
        if known is not None and stage not in known[1]:
            return None
        return index.newest_result(request.project, stage)

    @cache
    def failures() -> dict[str, Failure]:
        return index.latest_failures(request.project)

    def files_at(commit: str) -> Listing | None:
        try:
            return files_seen(CommitSource(repository, commit))
        except LockgateError:
            return None

    def changes(digest: str) -> tuple[str, ...]:
        return package_changes(runtimes.packages(digest), runtime.packages)

    return Known(find, previous, files_at, changes, lambda stage: failures().get(stage))


def _batch(git: GitBatch, request: Request, pipeline: Pipeline) -> Batch:
    """A lead's change of the batch settings reaches every member at once: the default branch decides."""
    if request.ref == default_branch(git.repository):
        return pipeline.batch
    try:
        manifest = default_manifest_in(git)
    except LockgateError:
        return pipeline.batch
    return manifest.batch if manifest is not None else pipeline.batch
