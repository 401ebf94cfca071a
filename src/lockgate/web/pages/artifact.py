"""The page of one file that a run made: a figure, a table, a notebook, text; its bytes, never with our pages'
rights."""

from __future__ import annotations

import contextlib
import mimetypes

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.response import File as FileResponse

from lockgate.hub.datasets.dataset_checks import dataset_checks
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import show_run
from lockgate.hub.showing import tabular
from lockgate.hub.showing.artifact_content import File, find_file, read_file
from lockgate.hub.showing.notebook_cells import MOST_BYTES
from lockgate.hub.showing.parquet import read_parquet
from lockgate.hub.showing.parquet_reader import Question
from lockgate.web.artifact_answer import answer_with
from lockgate.web.pages import drift
from lockgate.web.pages.acceptable import may_accept
from lockgate.web.pages.notebook_answer import notebook_answer
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_ROWS = 50
_TEXT_BYTES = 300_000


@get("/p/{project:str}/artifacts/{run:str}/{file:path}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    file: str,
    raw: bool = False,
    save: bool = False,
    cells: bool = False,
    start: int = 0,
    sort: str = "",
) -> Response[bytes] | FileResponse:
    """A file as it is best looked at, or its bytes."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    found = find_file(service.hub, project, view.artifacts, file.removeprefix("/"))
    if raw or save:
        return answer_with(request, service, project, found, is_download=save, records=view.records)
    form = _form(found)
    if cells and form == "notebook":
        return notebook_answer(found.path, read_file(service.hub, project, found, MOST_BYTES + 1))
    table, problem = _table(service, project, found, start, sort) if found.kind == "table" else (None, "")
    with contextlib.closing(Index(service.hub.index, is_read_only=True)) as index:
        commit = view.result_commit or view.line.commit
        checks = dataset_checks(service.hub, index, project, commit, found.path, view.line.id)
    return render(
        request,
        "artifact.html",
        checks=checks,
        drift=drift.drawn(checks),
        may_accept=may_accept(service, visitor, project, found.path, checks),
        project=project,
        tab="runs",
        run=view,
        file=found,
        maker=next(
            (r for r in view.records.values() if any(_holds(a.path, found.path) for a in r.artifacts)), None
        ),
        table=table,
        rows=_ROWS,
        sort=sort,
        form=form,
        problem=problem,
        text=_text(service, project, found) if table is None and form == "text" else None,
    )


def _table(
    service: Service, project: str, file: File, start: int, sort: str
) -> tuple[tabular.TablePage | None, str]:
    """A page of a table, or the problem with it in words; neither where the file is to be shown as text."""
    if file.path.lower().endswith(".parquet"):
        at, is_descending = tabular.parse_sort(sort)
        told = read_parquet(service.hub, project, file, Question(start, _ROWS, at, is_descending))
        if told.problem:
            return None, told.problem
        return tabular.TablePage(
            header=told.header,
            rows=told.rows,
            numeric=told.numeric,
            total=told.total,
            start=max(0, min(start, told.total - 1)),
            sort=at if told.is_sorted else None,
            is_descending=is_descending,
        ), ""
    content = read_file(service.hub, project, file, tabular.READ_BYTES)
    parsed = tabular.parse(content, file.path)
    return (tabular.page(parsed, start, _ROWS, sort) if parsed else None), ""


def _form(file: File) -> str:
    kind = mimetypes.guess_type(file.path)[0] or ""
    if kind.startswith("image/"):
        return "figure"
    if kind == "text/html":
        return "page"
    if file.path.endswith(".ipynb"):
        return "notebook"
    return "text"


def _text(service: Service, project: str, file: File) -> str | None:
    """The beginning of a file as text; None where it is none."""
    content = read_file(service.hub, project, file, _TEXT_BYTES)
    if b"\0" in content:
        return None
    return content.decode("utf-8", "replace")


def _holds(artifact: str, path: str) -> bool:
    return path == artifact or path.startswith(artifact.rstrip("/") + "/")


handlers = [show]
