"""Taking in what a job left: its artifacts and the record of how they came to be, or its fault in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.hub.indexing.index import Index
from lockgate.hub.instant import iso
from lockgate.hub.planning.preparation import Prepared
from lockgate.hub.running.observing import observed
from lockgate.hub.wiring import Wiring
from lockgate.project.pipeline import Stage
from lockgate.runs.collect import Collector
from lockgate.runs.cost import Cost, names_of
from lockgate.runs.job import ExitRecord
from lockgate.runs.observation import Observation
from lockgate.runs.plan import command_of
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.sizing import Offer, offer
from lockgate.runs.verdict import judge
from lockgate.runs.workspace import Inventory


class Taken(msgspec.Struct, frozen=True):
    """A stage's record, or the fault that keeps it from having one, with what was made until then."""

    record: StageRecord | None = None
    fault: str = ""
    partial: tuple[Artifact, ...] = ()
    observation: Observation | None = None
    """What it really used, where the project asks for that."""


def take_in(
    wiring: Wiring,
    prepared: Prepared,
    stage: str,
    folder: Path,
    exit_record: ExitRecord,
    inventory: Inventory,
    *,
    records: Mapping[str, StageRecord],
    fingerprint: str,
    ended_at: float,
) -> Taken:
    """Judge how a job ended and take its artifacts into the repository and the store.

    Raises `OutsideError` where these cannot be written; the same call is good later.
    """
    declared = prepared.planner.stage(stage)
    collector = Collector(
        wiring.repository(prepared.request.project),
        wiring.store,
        prepared.loaded.pipeline.data.result_limit_bytes,
        has_notebooks=prepared.loaded.pipeline.outputs != "strip",
    )
    seen = observed(prepared, stage, folder, inventory)
    offered = _offer(wiring.index, prepared, declared, exit_record)
    fault = judge(folder, exit_record, declared, prepared.loaded.inputs, inventory, offered)
    if fault is None:
        try:
            artifacts = collector.collect(declared, folder / "workspace")
        except UserError as error:
            fault = f"{error.message} ({error.hint})"
        except OSError as error:
            fault = f"what it made cannot be read: {error.strerror or error}"
    if fault is not None:
        try:
            partial = collector.salvage(declared, folder / "workspace")
        except (OSError, OutsideError):
            partial = ()
        return Taken(fault=fault, partial=partial, observation=seen)
    reference = prepared.references.get(declared.name)
    return Taken(
        StageRecord(
            stage=stage,
            fingerprint=fingerprint,
            run=prepared.request.id,
            commit=prepared.request.commit,
            member=prepared.request.member,
            ended_at=iso(ended_at),
            command=command_of(declared),
            runtime=prepared.runtime_of(declared).digest,
            params=declared.params,
            needs=prepared.planner.needs_of(stage, records) or (),
            artifacts=artifacts,
            duration_s=exit_record.duration_s,
            peak_memory_bytes=exit_record.peak_memory_bytes,
            undeclared=seen.undeclared if seen else (),
            compared_with=reference.report if reference is not None else None,
        ),
        observation=seen,
    )


def _offer(index: Index, prepared: Prepared, declared: Stage, exit_record: ExitRecord) -> Offer | None:
    """Return what a job killed for want of memory or time is to be run with, and remember what it took."""
    kind = exit_record.cause
    if kind not in ("memory", "walltime"):
        return None
    request, stage = prepared.request, declared.name
    names = names_of(stage)
    kept = index.costs(request.project, names)
    seconds, peak = exit_record.duration_s, exit_record.peak_memory_bytes
    cost = Cost(stage, request.id, kind, seconds, peak)
    index.add_costs(request.project, [cost])
    return offer(
        kind,
        stage,
        reached=peak if kind == "memory" else seconds,
        asked=declared.resources.memory_bytes if kind == "memory" else declared.resources.walltime_s,
        earlier=list(
            {(each.stage, each.run): each for name in names for each in kept.get(name, ())}.values()
        ),
        params=request.params,
        backend=request.backend,
    )
