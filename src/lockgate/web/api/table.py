"""The runs table: listed, filtered, sorted, page by page; as CSV; and saved views of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from litestar.params import Parameter
from litestar.response import Stream

from lockgate.hub.search.runs_table import RunsPage, export_csv, list_columns, list_runs
from lockgate.hub.search.views import View, delete_view, list_views, save_view
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

Limit = Annotated[int, Parameter(ge=1, le=500)]
Words = Annotated[str, Parameter(max_length=2000)]


class NewView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to look at the runs table, under a name."""

    name: str
    filter: str = ""
    sort: str = "-created"
    columns: tuple[str, ...] | None = None


@get("/projects/{project:str}/runs", sync_to_thread=True)
def list_some(
    service: Service,
    visitor: Visitor,
    project: str,
    filter: Words = "",
    sort: Words = "-created",
    columns: Words | None = None,
    limit: Limit = 50,
    before: Words | None = None,
) -> RunsPage:
    """Runs, the newest first or as `sort` says; `filter` in words as `accuracy > 0.9 and depth = 8`."""
    visitor.require("read", project)
    service.catch_up()
    return list_runs(service.database, [project], filter, sort, _names(columns), limit, before)


@get("/projects/{project:str}/runs.csv", sync_to_thread=True, media_type="text/csv")
def as_csv(
    service: Service,
    visitor: Visitor,
    project: str,
    filter: Words = "",
    sort: Words = "-created",
    columns: Words | None = None,
) -> Stream:
    """The same table as CSV, whole."""
    visitor.require("read", project)
    service.catch_up()
    # What is wrong with the question is told before the answer begins
    list_runs(service.database, [project], filter, sort, _names(columns), 1)
    lines = export_csv(service.database, [project], filter, sort, _names(columns))
    headers = {"content-disposition": f'attachment; filename="{project}-runs.csv"'}
    return Stream(lines, media_type="text/csv; charset=utf-8", headers=headers)


@get("/projects/{project:str}/columns", sync_to_thread=True)
def columns_of(service: Service, visitor: Visitor, project: str) -> Response[list[dict[str, str]]]:
    """Every column that a run of the project may have."""
    visitor.require("read", project)
    return Response([msgspec.to_builtins(each) for each in list_columns(service.database, [project])])


@get("/projects/{project:str}/views", sync_to_thread=True)
def views_of(service: Service, visitor: Visitor, project: str) -> list[View]:
    """The saved views of a project."""
    visitor.require("read", project)
    return list(list_views(service.database, project))


@post("/projects/{project:str}/views", sync_to_thread=True)
def save(service: Service, visitor: Visitor, project: str, data: NewView) -> View:
    """Save a view; one's own of that name is replaced."""
    visitor.require("read", project)
    view = View(
        name=data.name,
        project=project,
        owner=visitor.name,
        filter=data.filter,
        sort=data.sort,
        columns=data.columns,
    )
    save_view(service.database, view)
    return view


@delete("/projects/{project:str}/views/{name:str}", sync_to_thread=True)
def remove(service: Service, visitor: Visitor, project: str, name: str) -> None:
    """Remove a view of one's own."""
    visitor.require("read", project)
    delete_view(service.database, project, visitor.name, name)


def _names(columns: str | None) -> list[str] | None:
    return None if columns is None else [name.strip() for name in columns.split(",") if name.strip()]


handlers = [list_some, as_csv, columns_of, views_of, save, remove]
