"""Logging in and out of the pages."""

from __future__ import annotations

import asyncio

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.search.sessions import create_session, end_session
from lockgate.web.authentication import address_of
from lockgate.web.cookies import SESSION, session_cookie
from lockgate.web.crossing import own_path
from lockgate.web.errors import status_of
from lockgate.web.logs import log
from lockgate.web.render import onward, render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_TOLD = ("login-failed", "too-many-attempts", "login-unknown", "member-inactive", "member-conflict")


@get("/login", include_in_schema=False)
async def show(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Redirect:
    path = own_path(request.query_params.get("next", "/"))
    if visitor.actor is not None:
        return Redirect(service.url(path), status_code=303)
    return _page(request, service, path)


@post("/login", include_in_schema=False)
async def log_in(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Redirect:
    """Let in by name and password."""
    form = await request.form()
    name, password = str(form.get("name", "")).strip().lower(), str(form.get("password", ""))
    path = own_path(str(form.get("next", "/")))
    try:
        actor = await service.doorman.password(name, password, address_of(request.scope))
    except UserError as error:
        if error.code not in _TOLD:
            raise
        return _page(request, service, path, name, error)
    to_program = path.startswith("/oauth/")
    answer = (
        onward(request, service.url(path)) if to_program else Redirect(service.url(path), status_code=303)
    )
    answer.set_cookie(await begin(request, service, actor.name, "password"))
    return answer


@post("/logout", include_in_schema=False)
async def log_out(request: Request[None, None, State], service: Service, visitor: Visitor) -> Redirect:
    await end(request, service)
    answer = Redirect(service.url("/login"), status_code=303)
    answer.set_cookie(session_cookie(service.settings, "", is_https=request.scope["scheme"] == "https"))
    return answer


async def begin(request: Request[None, None, State], service: Service, name: str, way: str) -> Cookie:
    """Begin a member's session in this browser instead of the one it had; return the cookie for it.

    `way`: how they showed who they are, for the log.
    """
    await end(request, service)

    def work() -> str:
        member = service.book.require(name)
        days = service.settings.session_days
        return create_session(service.database, member, days)[0]

    secret = await asyncio.to_thread(work)
    log.info("%s logged in by %s", name, way, extra={"action": "login", "member": name, "way": way})
    return session_cookie(service.settings, secret, is_https=request.scope["scheme"] == "https")


async def end(request: Request[None, None, State], service: Service) -> None:
    """End the session that the browser had: an id known before a login must not be good after it."""
    secret = request.cookies.get(SESSION)
    if secret:
        await asyncio.to_thread(end_session, service.database, secret)


def _page(
    request: Request[None, None, State],
    service: Service,
    path: str,
    name: str = "",
    error: UserError | None = None,
) -> Response[bytes]:
    return render(
        request,
        "login.html",
        status=status_of(error) if error is not None else 200,
        next=path,
        name=name[:100],
        message=error.message if error is not None else "",
        hint=error.hint if error is not None else "",
        providers=service.providers.labels,
    )


handlers = [show, log_in, log_out]
