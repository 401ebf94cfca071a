"""The forecast of a prepared run, from what the hub knows of earlier jobs: one query for all stages."""

from __future__ import annotations

from lockgate.hub.indexing.index import Index
from lockgate.hub.planning.preparation import Prepared
from lockgate.runs.cost import Expected, expect, shared_name
from lockgate.runs.forecast import RunForecast, StageForecast, warnings_of, ways
from lockgate.runs.plan import PlannedStage


def forecast(index: Index, prepared: Prepared, is_runtime_ready: bool) -> RunForecast:
    """Return what the run would do, and take."""
    stages = prepared.plan.stages
    expected = _expected(index, prepared)
    at_work = [stage.name for stage in stages if stage.reused is None]
    seconds = {name: found.seconds for name, found in expected.items() if found.seconds is not None}
    at_once, in_turn = ways({stage.name: prepared.plan.upstream[stage.name] for stage in stages}, seconds)
    peaks = [found.memory_most_bytes for found in expected.values() if found.memory_most_bytes]
    return RunForecast(
        project=prepared.request.project,
        commit=prepared.request.commit,
        runtime=prepared.runtime.digest,
        is_runtime_ready=is_runtime_ready,
        seconds_at_once=at_once if seconds else None,
        seconds_in_turn=in_turn if seconds else None,
        memory_most_bytes=max(peaks, default=None),
        unknown=tuple(name for name in at_work if name not in seconds),
        stages=tuple(_stage(prepared, stage, expected.get(stage.name)) for stage in stages),
    )


def _expected(index: Index, prepared: Prepared) -> dict[str, Expected]:
    names = [stage.name for stage in prepared.plan.stages if stage.reused is None]
    shared = {name: shared_name(name) for name in names}
    if not names:
        return {}
    kept = index.costs(prepared.request.project, {*names, *(name for name in shared.values() if name)})
    found = {name: expect(kept.get(name, ()), kept.get(shared[name] or "", ())) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def _stage(prepared: Prepared, stage: PlannedStage, expected: Expected | None) -> StageForecast:
    declared = prepared.planner.stage(stage.name)
    will_run = stage.reused is None
    where = prepared.loaded.inputs.where
    return StageForecast(
        stage=stage.name,
        action="cached" if not will_run else "run" if stage.fingerprint is not None else "maybe",
        reason=stage.reason,
        backend=prepared.backend_of(stage.name),
        resources=declared.resources,
        expected=expected,
        warnings=warnings_of(
            declared.resources, expected, lambda key: where(declared.group, key).rstrip(": ")
        ),
    )
