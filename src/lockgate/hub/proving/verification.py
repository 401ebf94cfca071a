"""Asking for a run to be verified, and what verifications found."""

from __future__ import annotations

import time

import msgspec

from lockgate.backends.registry import load_backend
from lockgate.errors import UserError
from lockgate.hub.batch_settings import default_manifest
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.indexing.rows import Proof
from lockgate.hub.planning.replay import replayed
from lockgate.hub.push import VERIFICATIONS
from lockgate.hub.queue import enqueue, ensure_dispatcher
from lockgate.project.described import is_described
from lockgate.runs.runid import new_run_id
from lockgate.verify.report import Verification


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """How a run is to be verified."""

    backend: str | None = None
    is_fresh: bool = False
    stages: tuple[str, ...] = ()
    seeks_cause: bool = True


class Started(msgspec.Struct, frozen=True):
    """`run`: the run that verifies `verifies`."""

    run: str
    verifies: str


def start_verification(hub: Hub, project: str, text: str, asked: Asked, member: str) -> Started:
    """Queue the verification of a run, named by its id or the end of one.

    Raises `UserError`: `run-unknown`, `run-ambiguous`, `verify-not-ended`, `verify-nothing`, `verify-twice`,
    `stage-unknown`, `backend-unknown`.
    """
    index = Index(hub.index)
    try:
        run = _verified(index, project, text)
        earlier = replayed(hub, index, project, run)
        _check_stages(asked, list(earlier.records))
        if asked.backend is not None:
            _check_backend(hub, project, asked.backend)
        request = msgspec.structs.replace(
            earlier.request,
            id=new_run_id(),
            ref=VERIFICATIONS + run,
            member=member,
            only=asked.stages or earlier.request.only,
            force=(),
            backend=asked.backend or earlier.request.backend,
            proof=Proof(run=run, is_fresh=asked.is_fresh, stages=asked.stages, seeks_cause=asked.seeks_cause),
        )
        # Queued in one step with the ref that keeps it: no hook of a push comes after this
        index.add_run(request, "received", time.time())
        enqueue(hub, index, request)
    finally:
        index.close()
    ensure_dispatcher(hub)
    return Started(request.id, run)


def verifications_of(hub: Hub, project: str, text: str) -> list[Verification]:
    """Return what verifications of a run found, newest first. Raises `UserError`: `run-unknown`."""
    index = Index(hub.index, is_read_only=True)
    try:
        return index.verifications(project, find_run(index, project, text).request.id)
    finally:
        index.close()


def _verified(index: Index, project: str, text: str) -> str:
    """`latest` is the newest run that verifies no other."""
    if text != "latest":
        return find_run(index, project, text).request.id
    for row in index.runs(project, 1000):
        if row.request.proof is None and row.ended_at is not None:
            return row.request.id
    return find_run(index, project, text).request.id


def _check_stages(asked: Asked, known: list[str]) -> None:
    groups = {stage.partition("@")[0] for stage in known}
    for stage in asked.stages:
        if stage not in groups and stage not in known:
            raise UserError(
                f"the run made nothing with a stage {stage}",
                f"Those that can be verified: {', '.join(known[:20])}.",
                code="stage-unknown",
            )


def _check_backend(hub: Hub, project: str, name: str) -> None:
    manifest = default_manifest(hub.repository(project))
    table = manifest.batch.options.get(name, {}) if manifest is not None else {}
    if name != "local" and not is_described(table):
        load_backend(name)
