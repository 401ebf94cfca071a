"""Logging in by a provider: the way there, and the way back."""

from __future__ import annotations

import asyncio
import base64

import msgspec
from litestar import Request, get
from litestar.datastructures import Cookie, State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.members.code_flow import Begun, failed
from lockgate.hub.members.entering import enter
from lockgate.hub.members.values import Actor
from lockgate.web.authentication import address_of
from lockgate.web.crossing import own_path
from lockgate.web.login import begin
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

BEGUN = "lockgate_begun"
_PATIENCE_S = 600


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the browser keeps of a login that was begun: so that no answer to another's logs it in."""

    state: str
    nonce: str
    verifier: str
    path: str


@get("/login/{name:str}", include_in_schema=False)
async def go(request: Request[None, None, State], service: Service, visitor: Visitor, name: str) -> Redirect:
    """Send the browser to the provider; who is logged in already goes where they wanted."""
    path = own_path(request.query_params.get("next", "/"))
    if visitor.has_session:
        return Redirect(service.url(path), status_code=303)
    begun = await asyncio.to_thread(_begun, service, name)
    kept = msgspec.json.encode(_Kept(begun.state, begun.nonce, begun.verifier, path))
    answer = Redirect(begun.url, status_code=303)
    answer.set_cookie(_cookie(request, service, name, base64.urlsafe_b64encode(kept).decode(), _PATIENCE_S))
    return answer


@get("/login/{name:str}/answer", include_in_schema=False)
async def come_back(request: Request[None, None, State], service: Service, name: str) -> Redirect:
    """Let in whom the provider vouches for."""
    await service.doorman.knock(address_of(request.scope))
    try:
        kept = msgspec.json.decode(base64.urlsafe_b64decode(request.cookies.get(BEGUN, "")), type=_Kept)
    except (ValueError, msgspec.DecodeError):
        raise failed("it was not begun in this browser, or too long ago") from None
    begun = Begun(url="", state=kept.state, nonce=kept.nonce, verifier=kept.verifier)
    asked = {each: str(value) for each, value in request.query_params.items()}
    actor = await asyncio.to_thread(_entered, service, name, begun, asked)
    await service.doorman.welcome(address_of(request.scope))
    answer = Redirect(service.url(own_path(kept.path)), status_code=303)
    answer.set_cookie(await begin(request, service, actor.name, name))
    answer.set_cookie(_cookie(request, service, name, "", 0))
    return answer


def _begun(service: Service, name: str) -> Begun:
    return service.providers.find(name).begin(_redirect_uri(service, name))


def _entered(service: Service, name: str, begun: Begun, asked: dict[str, str]) -> Actor:
    login = service.providers.find(name).finish(begun, asked, _redirect_uri(service, name))
    return enter(service.book, login, service.providers.new_members(name))


def _redirect_uri(service: Service, name: str) -> str:
    if not service.settings.public_url:
        raise UserError(
            f"hub.toml has [{name}], and no public_url to come back to",
            'Write it in [service]: public_url = "https://hub.example.org"',
            code="hub-settings",
        )
    return f"{service.settings.public_url}{_path(name)}/answer"


def _path(name: str) -> str:
    return f"/login/{name}"


def _cookie(
    request: Request[None, None, State], service: Service, name: str, value: str, age_s: int
) -> Cookie:
    """Each way in has a cookie of its own, by its path: an answer never meets what was kept for another."""
    return Cookie(
        key=BEGUN,
        value=value,
        max_age=age_s,
        path=service.url(_path(name)),
        httponly=True,
        samesite="lax",
        secure=request.scope["scheme"] == "https" or service.settings.is_https,
    )


handlers = [go, come_back]
