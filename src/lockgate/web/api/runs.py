"""Runs: started, shown, cancelled, run again, and what made their files."""

from __future__ import annotations

import msgspec
from litestar import get, post

from lockgate.errors import UserError
from lockgate.hub.comparison import compare_runs
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import RunView, find_run, show_run
from lockgate.hub.indexing.rows import Request
from lockgate.hub.proving.verification import Asked, Started, start_verification, verifications_of
from lockgate.hub.push import Options
from lockgate.hub.pushing.own_push import Moved, commit_of, start_run
from lockgate.hub.running.cancel import Cancelled, cancel_run
from lockgate.runs.comparison import Comparison
from lockgate.runs.record import StageRecord
from lockgate.runs.trace import Step, find, trace
from lockgate.verify.report import Verification
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class NewRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to run: a branch, a tag or a commit's id, with what `lockgate run` offers."""

    commit: str
    params: dict[str, str] = {}
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    backend: str | None = None


class Again(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stages to run although their results are known; `*`: all."""

    force: tuple[str, ...] = ()


class Why(msgspec.Struct, frozen=True):
    """What made a file of a run, and what that was made from."""

    path: str
    record: StageRecord
    steps: tuple[Step, ...]


@post("/projects/{project:str}/runs", sync_to_thread=True)
def start(service: Service, visitor: Visitor, project: str, data: NewRun) -> Moved:
    """Start a run; no branch moves."""
    visitor.require("run", project)
    commit = commit_of(service.hub, project, data.commit)
    options = Options(
        params=_checked(data.params), only=data.only, force=data.force, backend=data.backend or None
    )
    return _start(service, visitor, project, commit, options)


@get("/projects/{project:str}/runs/{run:str}", sync_to_thread=True)
def show(service: Service, visitor: Visitor, project: str, run: str) -> RunView:
    """Everything known of a run: its stages, records, artifacts, metrics."""
    visitor.require("read", project)
    return show_run(service.hub, project, run)


@post("/projects/{project:str}/runs/{run:str}/cancel", status_code=200, sync_to_thread=True)
def cancel(service: Service, visitor: Visitor, project: str, run: str) -> Cancelled:
    """Ask for a run's end."""
    visitor.require("cancel", project)
    return cancel_run(service.hub, project, run, visitor.name)


@post("/projects/{project:str}/runs/{run:str}/verify", sync_to_thread=True)
def verify(service: Service, visitor: Visitor, project: str, run: str, data: Asked | None = None) -> Started:
    """Make a run again from nothing, to be compared; its results replace nothing."""
    visitor.require("run", project)
    service.hub.require_project(project)
    return start_verification(service.hub, project, run, data or Asked(), visitor.name)


@get("/projects/{project:str}/runs/{run:str}/verifications", sync_to_thread=True)
def verifications(service: Service, visitor: Visitor, project: str, run: str) -> list[Verification]:
    """What verifications of a run found, newest first; of a verification, what it found."""
    visitor.require("read", project)
    return verifications_of(service.hub, project, run)


@post("/projects/{project:str}/runs/{run:str}/again", sync_to_thread=True)
def again(service: Service, visitor: Visitor, project: str, run: str, data: Again | None = None) -> Moved:
    """Run the same commit with the same parameters; what is known is made anew only if forced."""
    visitor.require("run", project)
    request = request_of(service, project, run)
    options = Options(
        params=request.params,
        only=request.only,
        force=data.force if data is not None else (),
        backend=request.backend,
        memory_bytes=request.memory_bytes,
        walltime_s=request.walltime_s,
        cpus=request.cpus,
    )
    return _start(service, visitor, project, request.commit, options)


@get("/projects/{project:str}/runs/{left:str}/compare/{right:str}", sync_to_thread=True)
def compare(service: Service, visitor: Visitor, project: str, left: str, right: str) -> Comparison:
    """What differs between two runs."""
    visitor.require("read", project)
    return compare_runs(service.hub, project, left, right)


@get("/projects/{project:str}/runs/{run:str}/why", sync_to_thread=True)
def why(service: Service, visitor: Visitor, project: str, run: str, path: str) -> Why:
    """What a file of a run was made from, up to the sources."""
    visitor.require("read", project)
    records = show_run(service.hub, project, run).records
    made = find(records, path)
    if made is None:
        raise UserError(
            f"run {run} made nothing at {path}", "What it made is listed with it.", code="artifact-unknown"
        )
    return Why(path, made.record, tuple(trace(records, made.record.stage)))


def request_of(service: Service, project: str, run: str) -> Request:
    """Return what was asked of a run. Raises `UserError`: `run-unknown`, `run-ambiguous`."""
    index = Index(service.hub.index, is_read_only=True)
    try:
        return find_run(index, project, run).request
    finally:
        index.close()


def _start(service: Service, visitor: Visitor, project: str, commit: str, options: Options) -> Moved:
    for word in options.words():
        if "\n" in word or "\0" in word or len(word) > 10_000:
            raise UserError(
                "a parameter has a line break in it, or is too long",
                "Put long values into a file of the project.",
                code="parameter-invalid",
            )
    return start_run(service.hub, project, commit, visitor.require_known(), options)


def _checked(params: dict[str, str]) -> dict[str, str]:
    for name in params:
        if not name or "=" in name:
            raise UserError(
                f"{name!r} is no parameter's name", "As in lockgate.toml.", code="parameter-invalid"
            )
    return params


handlers = [start, show, cancel, again, verify, verifications, compare, why]
