"""One box for everything: what was found, by kind."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.hub.search.find import Hit, search
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_AT_MOST = 100
KINDS = {
    "data": "Datasets",
    "run": "Runs",
    "activity": "Activity",
    "cell": "Cells",
    "code": "Code",
    "commit": "Commits",
    "log": "Logs",
}


class Found(msgspec.Struct, frozen=True):
    """A hit and where a click on it leads."""

    hit: Hit
    path: str


class Group(msgspec.Struct, frozen=True):
    kind: str
    name: str
    found: tuple[Found, ...]


def path_of(hit: Hit) -> str:
    """Return the page of what was found."""
    base = f"/p/{quote(hit.project, safe='')}"
    if hit.kind == "code" and hit.path:
        return f"{base}/files/{quote(hit.path)}" + (f"?at={hit.commit}" if hit.commit else "")
    if hit.kind == "data" and hit.path:
        return f"{base}/data/{quote(hit.path)}"
    if hit.kind == "cell" and hit.commit:
        return f"{base}/cells/{hit.commit}"
    if hit.kind == "log" and hit.path and hit.commit:
        return f"{base}/activity/{hit.commit}/{quote(hit.path)}"
    if hit.run:
        return f"{base}/runs/{hit.run}"
    if hit.kind == "commit" and hit.commit:
        return f"{base}/commits/{hit.commit}"
    return f"{base}?{urlencode({'text': hit.title[:100]})}"


def grouped(hits: Iterable[Hit]) -> list[Group]:
    """Group hits by kind, in the order of `KINDS`, inside as they came."""
    by_kind: dict[str, list[Found]] = {}
    for hit in hits:
        by_kind.setdefault(hit.kind, []).append(Found(hit, path_of(hit)))
    return [Group(kind, name, tuple(by_kind[kind])) for kind, name in KINDS.items() if kind in by_kind]


@get("/search", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    q: str = "",
    project: str = "",
) -> Response[bytes]:
    """What was found for the words in the box."""
    visitor.require_known()
    mine = visitor.projects()
    asked = tuple(name for name in mine if name == project) if project else mine
    hits = search(service.database, asked, q, _AT_MOST) if q.strip() else ()
    return render(
        request,
        "search.html",
        q=q,
        project=project,
        projects=mine,
        groups=grouped(hits),
        is_full=len(hits) >= _AT_MOST,
    )


handlers = [show]
