"""Home: what a member sees first. Their projects, what runs, what failed, what waits for them."""

from __future__ import annotations

import time

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from markupsafe import Markup

from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.push import describe
from lockgate.hub.search.feed import FeedEntry
from lockgate.hub.search.home import home
from lockgate.hub.search.runs_table import RunRow as FoundRun
from lockgate.web.pages import chart
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_RECENT = 16
_LATELY_S = 7 * 86_400
_LISTED = 8


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A run as one line of the home page."""

    id: str
    project: str
    state: str
    where: str
    member: str
    at: float
    seconds: float | None
    cause: str | None


class ProjectCard(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    last: RunLine | None
    spark: Markup
    count: int


class Wait(msgspec.Struct, frozen=True):
    """Something that waits for the member's decision."""

    project: str
    path: str
    title: str
    by: str
    at: float


@get("/", include_in_schema=False, sync_to_thread=True)
def show(request: Request[None, None, State], service: Service, visitor: Visitor) -> Response[bytes]:
    """The first page."""
    projects = visitor.projects()
    if visitor.actor is None:
        visitor.require("read", None)
    index = Index(service.hub.index, is_read_only=True)
    now = time.time()
    recent = {project: index.runs(project, _RECENT) for project in projects}
    alive = [row for row in index.unfinished() if row.request.project in recent]
    index.close()
    found = home(service.database, projects, visitor.name, _LISTED)
    failed = [
        each.run for each in found.failed if not each.is_mended and each.run.created_at > now - _LATELY_S
    ]
    return render(
        request,
        "home.html",
        cards=[_card(project, rows, now) for project, rows in _by_news(recent)],
        alive=[line_of(row, now) for row in reversed(alive[-_LISTED:])],
        alive_count=len(alive),
        failed=[_found(run) for run in failed],
        waits=[_wait(entry) for entry in found.proposals if visitor.may("decide-proposal", entry.project)],
        address=service.settings.public_url or str(request.base_url).rstrip("/"),
    )


def line_of(row: RunRow, now: float) -> RunLine:
    end = row.ended_at if row.ended_at is not None else now
    return RunLine(
        id=row.request.id,
        project=row.request.project,
        state=row.state,
        where=describe(row.request.ref),
        member=row.request.member,
        at=row.created_at,
        seconds=max(0.0, end - row.created_at),
        cause=row.cause,
    )


def _found(run: FoundRun) -> RunLine:
    return RunLine(
        id=run.id,
        project=run.project,
        state=run.state,
        where=run.where,
        member=run.member,
        at=run.created_at,
        seconds=run.seconds,
        cause=run.cause,
    )


def _wait(entry: FeedEntry) -> Wait:
    known = entry.detail.evidence.get("proposal")
    below = f"/proposals/{known}" if isinstance(known, str) and known.isalnum() else ""
    return Wait(entry.project, f"/p/{entry.project}/settings{below}", entry.title, entry.by, entry.at)


def _by_news(recent: dict[str, list[RunRow]]) -> list[tuple[str, list[RunRow]]]:
    """The projects, those that ran last first."""
    return sorted(recent.items(), key=lambda each: -(each[1][0].created_at if each[1] else 0))


def _card(project: str, rows: list[RunRow], now: float) -> ProjectCard:
    lines = [line_of(row, now) for row in rows]
    bars = [(line.seconds or 0.0, line.state) for line in reversed(lines)]
    return ProjectCard(
        name=project,
        last=lines[0] if lines else None,
        spark=chart.spark(bars, f"The last {len(bars)} runs of {project}"),
        count=len(lines),
    )


handlers = [show]
