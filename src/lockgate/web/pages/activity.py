"""The feed: what was done in a project, by day, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.git.program import attempt
from lockgate.hub.search.feed import FeedEntry, feed
from lockgate.web.pages.ansi import html_of
from lockgate.web.pages.branches import branches_of
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor
from lockgate.web.words import day

_PAGE = 30
KINDS = {
    "run": "Runs",
    "cell": "Cells",
    "sync": "Syncs",
    "data": "Data",
    "member": "Members",
    "proposal": "Proposals",
    "push": "Refused pushes",
    "project": "The project",
}


class Day(msgspec.Struct, frozen=True):
    name: str
    entries: tuple[FeedEntry, ...]


def by_day(entries: Iterable[FeedEntry]) -> Iterator[Day]:
    """Group entries by their day; where a run's end is told, what began it is told there."""
    found = list(entries)
    begun = {entry.run: entry for entry in found if entry.kind == "run.queued"}
    ended = {entry.run for entry in found if entry.kind == "run.finished"}
    told = [
        _with_changes(entry, begun.get(entry.run)) if entry.kind == "run.finished" else entry
        for entry in found
        if entry.kind != "run.queued" or entry.run not in ended
    ]
    for name, inside in groupby(told, key=lambda entry: day(entry.at)):
        yield Day(name, tuple(inside))


def _with_changes(entry: FeedEntry, begun: FeedEntry | None) -> FeedEntry:
    """What was pushed, beside what came of it."""
    if begun is None or entry.detail.changes:
        return entry
    pushed = begun.detail
    detail = msgspec.structs.replace(
        entry.detail, changes=pushed.changes, change_count=pushed.change_count, snippets=pushed.snippets
    )
    return msgspec.structs.replace(entry, detail=detail)


@get("/p/{project:str}", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    by: str = "",
    ref: str = "",
    kind: str = "",
    text: str = "",
    before: str = "",
) -> Response[bytes]:
    """A page of the feed, filtered as asked."""
    visitor.require("read", project)
    page = feed(
        service.database,
        [project],
        by=by.strip() or None,
        ref=ref.strip() or None,
        kind=kind.strip() or None,
        text=text.strip() or None,
        before=before or None,
        limit=_PAGE,
    )
    asked = {"by": by, "ref": ref, "kind": kind, "text": text}
    filtered = {name: value for name, value in asked.items() if value.strip()}
    return render(
        request,
        "activity.html",
        project=project,
        tab="activity",
        days=list(by_day(page.entries)),
        older=urlencode(filtered | {"before": page.next}) if page.next else None,
        asked=asked,
        is_filtered=bool(filtered),
        is_first=not before,
        kinds=KINDS,
        branches=branches_of(service.hub.repository(project)),
        may_run=visitor.may("run", project),
        may_go_back=visitor.may("rollback", project),
        address=service.settings.public_url or str(request.base_url).rstrip("/"),
    )


@get("/p/{project:str}/activity/{entry:str}/{log:path}", include_in_schema=False, sync_to_thread=True)
def show_log(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    entry: str,
    log: str,
) -> Response[bytes]:
    """The log that an entry of the chain keeps."""
    visitor.require("read", project)
    is_named = len(entry) == 40 and entry.isalnum() and log.startswith("/logs/")
    found = (
        attempt(service.hub.repository(project), "cat-file", "blob", f"{entry}:{log[1:]}")
        if is_named
        else None
    )
    content = found[1] if found is not None and found[0] == 0 else b""
    return render(
        request,
        "entry_log.html",
        project=project,
        tab="activity",
        name=log.rpartition("/")[2],
        html=html_of(content),
    )


handlers = [show, show_log]
