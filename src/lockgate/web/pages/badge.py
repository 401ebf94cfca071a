"""Badges for a README: what the newest verification found, as a small SVG that any page may show."""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape, quoteattr

from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.hub.members.rules import unknown_project
from lockgate.hub.showing.badge import Badge, is_badge_key, project_badge, run_badge
from lockgate.verify.report import Verdict
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: Verdict → ground. White on each has a contrast of 4.5 and more (WCAG 2.2, 1.4.3).
_GROUNDS: dict[Verdict | None, str] = {
    "identical": "#1a7f4b",
    "within-tolerance": "#1a7f4b",
    "differs": "#b42318",
    "not-run": "#8a5a00",
    None: "#5b6472",
}
_LABEL = "proof"
#: How wide a letter of Verdana at 11 px is on the average, and what is around; `textLength` fits words in.
_LETTER, _AROUND = 6.6, 12
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="20" role="img" aria-label={told}>\
<title>{title}</title>\
<clipPath id="edge"><rect width="{wide}" height="20" rx="3"/></clipPath>\
<g clip-path="url(#edge)"><rect width="{left}" height="20" fill="#363d49"/>\
<rect x="{left}" width="{right}" height="20" fill="{ground}"/></g>\
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="{at_left}" y="14" textLength="{long_left}">{label}</text>\
<text x="{at_right}" y="14" textLength="{long_right}">{words}</text></g></svg>
"""


def draw_badge(badge: Badge) -> str:
    """Return a badge as SVG."""
    long_left, long_right = round(len(_LABEL) * _LETTER), round(len(badge.words) * _LETTER)
    left, right = long_left + _AROUND, long_right + _AROUND
    title = f"{_LABEL}: {badge.words}"
    return _SVG.format(
        wide=left + right, left=left, right=right, ground=_GROUNDS[badge.verdict], told=quoteattr(title),
        title=escape(title), at_left=left / 2, at_right=left + right / 2, long_left=long_left,
        long_right=long_right, label=_LABEL, words=escape(badge.words),
    )  # fmt: skip


@get("/p/{project:str}/badge.svg", include_in_schema=False, sync_to_thread=True)
def of_project(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, key: str = ""
) -> Response[bytes]:
    """The badge of a project: of the newest verified run of its default branch."""
    is_open = _require(service, visitor, project, key)
    return _answer(request, project_badge(service.hub, project), is_open=is_open)


@get("/p/{project:str}/runs/{run:str}/badge.svg", include_in_schema=False, sync_to_thread=True)
def of_run(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    run: str,
    key: str = "",
) -> Response[bytes]:
    """The badge of one run."""
    is_open = _require(service, visitor, project, key)
    return _answer(request, run_badge(service.hub, project, run), is_open=is_open)


def _require(service: Service, visitor: Visitor, project: str, key: str) -> bool:
    """Return whether it came by the key; else by a login. Whoever has neither is told of no project.

    Raises `UserError` (`project-unknown`).
    """
    if project in service.hub.projects():
        if key and is_badge_key(key, service.hub, project):
            return True
        if visitor.may("read", project):
            return False
    raise unknown_project(project)


def _answer(request: Request[None, None, State], badge: Badge, *, is_open: bool) -> Response[bytes]:
    content = draw_badge(badge).encode()
    identity = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "etag": identity,
        "cache-control": "public, max-age=300" if is_open else "private, no-cache",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    if is_open:
        headers["cross-origin-resource-policy"] = "cross-origin"
    if identity in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(content, media_type="image/svg+xml", headers=headers)


handlers = [of_project, of_run]
