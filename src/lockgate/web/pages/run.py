"""The page of one run: its stages, what they print, what they made, what they took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from markupsafe import Markup

from lockgate.hub.datasets.dataset_uses import read_by
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import RunView, show_run
from lockgate.hub.push import VERIFICATIONS
from lockgate.hub.showing.artifact_content import File, files_of
from lockgate.hub.showing.log_part import read_log_part
from lockgate.hub.showing.stage_lines import StageLine, lines_of, upstream_of
from lockgate.hub.software.runtimes import Runtimes
from lockgate.runs.checked import runtime_of
from lockgate.runs.observation import in_words
from lockgate.runs.run import FINAL_RUN_STATES, Event
from lockgate.web.pages import chart, stage_graph
from lockgate.web.pages.ansi import html_of
from lockgate.web.pages.proof import proof_of
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_FILES_AT_MOST = 400
_RAW = {"content-security-policy": "sandbox; default-src 'none'"}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made, by kind."""

    figures: tuple[File, ...]
    tables: tuple[File, ...]
    pages: tuple[File, ...]
    """Notebooks' HTML, to be looked at in a frame."""
    others: tuple[File, ...]
    is_cut: bool


@get("/p/{project:str}/runs/{run:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    stage: str = "",
) -> Response[bytes]:
    """A run with all that is known of it."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    index = Index(service.hub.index, is_read_only=True)
    events = [event for _, _, event in index.events(view.line.id)]
    newest = [row.request.id for row in index.runs(project, 30)]
    index.close()
    lines = lines_of(view.stages, view.records, time.time())
    shown = _shown_stage(lines, stage)
    log = (
        read_log_part(service.hub, project, view.line.id, shown.name, None, view.result_commit)
        if shown
        else None
    )
    is_over = view.line.state in FINAL_RUN_STATES
    runtime = runtime_of(view.records.values())
    address = service.settings.public_url or str(request.base_url).rstrip("/")
    may_run = visitor.may("run", project)
    return render(
        request,
        "run.html",
        project=project,
        tab="runs",
        run=view,
        is_over=is_over,
        so_far=time.time() - view.line.created_at,
        lines=lines,
        graph=_graph(view, lines, events),
        shown=shown,
        asked_stage=stage,
        log=log,
        log_html=html_of(log.content) if log else "",
        made=made_by(service, project, view),
        metrics=tuple(view.metrics.items()),
        bar=chart.bar,
        failed=tuple(line for line in lines if line.state == "failed"),
        data=read_by(service.hub, project, view.line.commit, view.records),
        runtime=runtime,
        packages=sorted(Runtimes(service.hub.runtimes).packages(runtime).items()) if runtime else [],
        observations=view.observations,
        use_words=in_words,
        others=tuple(other for other in newest if other != view.line.id),
        proof=proof_of(service, project, view, address if visitor.may("push", project) else ""),
        may_verify=may_run and is_over and bool(view.records) and not _is_verification(view),
        may_run=may_run,
        may_cancel=visitor.may("cancel", project),
        may_go_back=visitor.may("rollback", project),
    )


@get("/p/{project:str}/runs/{run:str}/logs/{stage:path}", include_in_schema=False, sync_to_thread=True)
def show_log(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    stage: str,
    at: int = 0,
    raw: bool = False,
) -> Response[bytes]:
    """One page of a stage's log, or all of it as plain text."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    name = stage.removeprefix("/")
    part = read_log_part(service.hub, project, view.line.id, name, at, view.result_commit)
    lines = lines_of(view.stages, view.records, time.time())
    if raw:
        return Response(part.content, media_type="text/plain; charset=utf-8", headers=_RAW)
    return render(
        request,
        "log.html",
        project=project,
        tab="runs",
        run=view,
        stage=name,
        line=next((line for line in lines if line.name == name), None),
        part=part,
        before=max(0, part.start - (part.end - part.start or 1)) if part.start else None,
        log_html=html_of(part.content),
    )


def made_by(service: Service, project: str, view: RunView) -> Made:
    """Return what a run's stages made, a file a place, at most so many."""
    found: list[File] = []
    for artifact in view.artifacts:
        left = _FILES_AT_MOST - len(found)
        if left <= 0:
            break
        found += files_of(service.hub, project, artifact, left)
    figures = tuple(file for file in found if file.kind == "figure" and not file.path.endswith(".pdf"))
    tables = tuple(file for file in found if file.kind == "table")
    pages = tuple(file for file in found if file.path.lower().endswith((".html", ".htm")))
    known = {file.path for group in (figures, tables, pages) for file in group}
    return Made(
        figures=figures,
        tables=tables,
        pages=pages,
        others=tuple(file for file in found if file.path not in known),
        is_cut=len(found) >= _FILES_AT_MOST,
    )


def _shown_stage(lines: tuple[StageLine, ...], asked: str) -> StageLine | None:
    """The stage whose log is shown: the one asked for, else one that failed, runs, or ran last."""
    by_name = {line.name: line for line in lines}
    if asked in by_name:
        return by_name[asked]
    for states in (("failed",), ("running", "submitted", "collecting"), ("succeeded",)):
        found = [line for line in lines if line.state in states]
        if found:
            return found[0] if states[0] == "failed" else found[-1]
    return lines[0] if lines else None


def _is_verification(view: RunView) -> bool:
    return view.ref.startswith(VERIFICATIONS)


def _graph(view: RunView, lines: Sequence[StageLine], events: Sequence[Event]) -> Markup:
    nodes = [
        stage_graph.Node(line.name, line.state, line.note, f"?stage={quote(line.name, safe='')}#log")
        for line in lines
    ]
    return stage_graph.draw(nodes, upstream_of(events, view.records))


handlers = [show, show_log]
