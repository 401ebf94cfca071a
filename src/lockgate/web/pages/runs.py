"""The runs table: all runs of a project, any parameter or metric as a column."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect, Stream
from markupsafe import Markup

from lockgate.errors import UserError
from lockgate.hub.search.runs_table import Column, RunRow, RunsPage, export_csv, list_columns, list_runs
from lockgate.hub.search.views import View, delete_view, list_views, save_view
from lockgate.runs.runid import short
from lockgate.web.pages import chart
from lockgate.web.pages.forms import read_form
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_PAGE = 50
#: So many columns of values are shown where nobody chose.
_COLUMNS = 8
DONE = {
    "saved": "The view was saved. It stands under Views, for everybody in the project.",
    "replaced": "The view was saved; it replaces the one of yours that had this name.",
}
_NOTHING = RunsPage(rows=(), columns=(), next=None, total=0)


class Question(msgspec.Struct, frozen=True):
    """What the table was asked for; `columns` empty: those that the runs have."""

    filter: str = ""
    sort: str = "-created"
    columns: tuple[str, ...] = ()

    def query(self, **changes: object) -> str:
        """Return the address' query for this question with some of it changed."""
        asked = msgspec.structs.asdict(self) | changes
        pairs = [("filter", asked["filter"])] if asked["filter"] else []
        pairs += [("sort", asked["sort"])] if asked["sort"] != "-created" else []
        pairs += [("column", name) for name in asked["columns"]]
        pairs += [(name, asked[name]) for name in ("before", "chart", "done") if asked.get(name)]
        return urlencode(pairs)

    def sorted_by(self, column: str) -> str:
        """Return the query that sorts by a column, the other way round where that is done already."""
        return self.query(
            sort=f"-{column}"
            if self.sort == column
            else column
            if self.sort == f"-{column}"
            else f"-{column}"
        )


@get("/p/{project:str}/runs", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    filter: str = "",
    sort: str = "-created",
    before: str = "",
    done: str = "",
) -> Response[bytes]:
    """A page of the table, or what is wrong with the filter."""
    visitor.require("read", project)
    chosen = tuple(request.query_params.getall("column", []))
    question = Question(filter.strip(), sort or "-created", chosen)
    problem = None
    try:
        page = list_runs(
            service.database, [project], question.filter, question.sort, chosen or None, _PAGE, before or None
        )
    except UserError as error:
        if error.code not in ("filter-invalid", "page-invalid"):
            raise
        problem, page = error, _NOTHING
    columns = shown_columns(page.columns, is_chosen=bool(chosen))
    charted = request.query_params.get("chart", "")
    return render(
        request,
        "runs.html",
        status=400 if problem else 200,
        project=project,
        tab="runs",
        question=question,
        done=DONE.get(done, ""),
        problem=problem,
        page=page,
        columns=columns,
        known=[column for column in list_columns(service.database, [project]) if column.kind != "own"],
        is_first=not before,
        views=list_views(service.database, project),
        may_save=visitor.may("run", project),
        charted=charted,
        chart=_chart(service, project, page.rows, charted),
        address=service.settings.public_url or str(request.base_url).rstrip("/"),
    )


def shown_columns(columns: Iterable[Column], *, is_chosen: bool) -> list[Column]:
    """Return the columns of values that are shown: all that were chosen, else the first few."""
    values = [column for column in columns if column.kind != "own"]
    return values if is_chosen else values[:_COLUMNS]


def _chart(service: Service, project: str, rows: Sequence[RunRow], name: str) -> Markup:
    points = []
    for row in reversed(rows):
        value = row.metrics.get(name)
        if isinstance(value, int | float):
            href = service.url(f"/p/{project}/runs/{row.id}")
            points.append(chart.Point(short(row.id), value, href, row.state))
    return chart.line(points, name) if name else Markup("")


@get("/p/{project:str}/runs.csv", include_in_schema=False, sync_to_thread=True)
def export(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    filter: str = "",
    sort: str = "-created",
) -> Stream:
    """The table as CSV: what every run has, then the columns that were chosen."""
    visitor.require("read", project)
    chosen = request.query_params.getall("column", [])
    own = [column.name for column in list_columns(service.database, [project]) if column.kind == "own"]
    columns = [*own, *(name for name in chosen if name not in own)] if chosen else None
    lines = export_csv(service.database, [project], filter, sort, columns)
    first = next(lines, "") + next(lines, "")  # a wrong filter is told before anything is sent

    def content() -> Iterable[str]:
        yield first
        yield from lines

    return Stream(
        content(),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{project}-runs.csv"'},
    )


@post("/p/{project:str}/views", include_in_schema=False)
async def save(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Redirect:
    """Save what is shown as a view."""
    visitor.require("run", project)
    form = await read_form(request)
    columns = tuple(form.all("column"))
    owner = visitor.actor.name if visitor.actor else ""
    view = View(
        name=form.one("name"),
        project=project,
        owner=owner,
        filter=form.one("filter"),
        sort=form.one("sort") or "-created",
        columns=columns or None,
    )
    replaced = await asyncio.to_thread(save_view, service.database, view)
    query = Question(view.filter, view.sort, columns).query(done="replaced" if replaced else "saved")
    return Redirect(service.url(f"/p/{project}/runs?{query}"), status_code=303)


@post("/p/{project:str}/views/delete", include_in_schema=False)
async def drop(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Redirect:
    visitor.require("run", project)
    form = await read_form(request)
    delete_view(service.database, project, visitor.actor.name if visitor.actor else "", form.one("name"))
    return Redirect(service.url(f"/p/{project}/runs"), status_code=303)


handlers = [show, export, save, drop]
