"""Who asks: found once a request, and asked whether they may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from litestar import Request
from litestar.datastructures import State

from lockgate.hub.members.mark import mark_of
from lockgate.hub.members.rules import Action, actor_of, may
from lockgate.hub.members.values import Actor
from lockgate.hub.search.sessions import find_session
from lockgate.web.authentication import header, identify, identify_again
from lockgate.web.cookies import SESSION, VISIT, csrf_of_visit, new_visit
from lockgate.web.crossing import FIELD, HEADER, SAFE, check_origin, check_token
from lockgate.web.service import Service


class Visitor:
    """The one behind a request."""

    def __init__(
        self,
        service: Service,
        actor: Actor | None,
        csrf: str = "",
        *,
        has_session: bool = False,
        fresh_visit: str = "",
        again: Callable[[], Actor | None] = lambda: None,
    ) -> None:
        self.actor = actor
        """None: nobody who is known."""
        self.csrf = csrf
        """What a form of theirs has to bring back."""
        self.has_session = has_session
        self.fresh_visit = fresh_visit
        """The cookie that a page has to set for `csrf` to be good."""
        self.again = again
        """Tells who it is by now; None: their session, token or password is good no more. It asks the
        database: not for the thread of the loop."""
        self._service = service

    @property
    def name(self) -> str:
        return self.actor.name if self.actor is not None else ""

    @property
    def email(self) -> str:
        """The address their commits bear."""
        member = self._service.book.find(self.name)
        return member.email if member is not None and member.email else f"{self.name}@localhost"

    def may(self, action: Action, project: str | None = None) -> bool:
        """Return whether they may, for pages that show what can be done."""
        return may(self.actor, action, project)

    def still(self, action: Action, project: str) -> bool:
        """Return whether they may even now: what was so when a stream began may have changed since."""
        return may(self.again(), action, project)

    def require(self, action: Action, project: str | None = None) -> None:
        """Raise `UserError` unless they may: `not-logged-in`, `not-allowed`, `project-unknown`."""
        self._service.require(self.actor, action, project)

    def require_known(self) -> Actor:
        """Return who it is. Raises `UserError` (`not-logged-in`)."""
        if self.actor is None:
            self._service.require(None, "read", None)
        assert self.actor is not None
        return self.actor

    def projects(self) -> tuple[str, ...]:
        """Return the projects they may read."""
        return self._service.readable(self.actor)


async def provide_visitor(request: Request[None, None, State], service: Service) -> Visitor:
    """Find who asks, once a request.

    Raises `UserError`: `login-failed`, `too-many-attempts`, `hub-open`.
    """
    found = getattr(request.state, "visitor", None)
    if isinstance(found, Visitor):
        return found
    visitor = await _find(request, service)
    request.state.visitor = visitor
    return visitor


async def check_crossing(request: Request[None, None, State]) -> None:
    """Refuse what changes something and was sent by another site's page. Raises `UserError` (`cross-site`).

    Who brings a bearer token is a program: no browser sends one by itself. A name with a password it may, so
    there the origin counts; where a cookie says who it is, or a form is sent, also the form's token.
    """
    if request.method in SAFE or header(request.scope, b"authorization").lower().startswith("bearer "):
        return
    service: Service = request.app.state.service
    check_origin(
        request.headers.get("origin", ""),
        request.headers.get("sec-fetch-site", ""),
        request.headers.get("host", ""),
        service.settings.public_url,
    )
    visitor = await provide_visitor(request, service)
    if visitor.has_session or not request.scope["path"].startswith("/api/"):
        given = request.headers.get(HEADER) or ""
        if not given and "form" in request.headers.get("content-type", ""):
            given = str((await request.form()).get(FIELD, ""))
        check_token(given, visitor.csrf)


async def _find(request: Request[None, None, State], service: Service) -> Visitor:
    secret = request.cookies.get(SESSION)
    if secret and not header(request.scope, b"authorization") and not service.book.is_open:
        actor, csrf = await asyncio.to_thread(_of_session, service, secret[:200])
        if actor is not None:
            return Visitor(
                service, actor, csrf, has_session=True, again=lambda: _of_session(service, secret[:200])[0]
            )
    actor = await identify(service, request.scope)
    member = service.book.find(actor.name) if actor is not None else None
    password = member.password if member is not None else None
    visit = request.cookies.get(VISIT, "")
    fresh = "" if len(visit) >= 32 else new_visit()
    return Visitor(
        service,
        actor,
        csrf_of_visit(fresh or visit),
        fresh_visit=fresh,
        again=lambda: identify_again(service, request.scope, password),
    )


def _of_session(service: Service, secret: str) -> tuple[Actor | None, str]:
    """Return whose session this is, and the token of its forms."""
    session = find_session(service.database, secret)
    member = service.book.find(session.member) if session is not None else None
    if session is None or member is None or session.mark != mark_of(member):
        return None, ""
    return actor_of(member), session.csrf
