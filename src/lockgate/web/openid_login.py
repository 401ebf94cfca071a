"""Logging in by an OpenID Connect provider: the way there, and the way back."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import msgspec
from litestar import Request, get
from litestar.datastructures import Cookie, State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.members.entering import enter
from lockgate.hub.members.logins import client_secret
from lockgate.web.authentication import address_of
from lockgate.web.crossing import own_path
from lockgate.web.login import begin
from lockgate.web.service import Service

if TYPE_CHECKING:
    from lockgate.hub.members.openid import OpenId

BEGUN = "lockgate_openid"
PATH = "/login/openid"
_PATIENCE_S = 600


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the browser keeps of a login that was begun."""

    state: str
    nonce: str
    verifier: str
    path: str


@get(PATH, include_in_schema=False)
async def go(request: Request[None, None, State], service: Service) -> Redirect:
    """Send the browser to the provider."""
    begun = await asyncio.to_thread(_client(service).begin, _redirect_uri(service))
    path = own_path(request.query_params.get("next", "/"))
    kept = msgspec.json.encode(_Kept(begun.state, begun.nonce, begun.verifier, path))
    answer = Redirect(begun.url, status_code=303)
    answer.set_cookie(_cookie(request, service, base64.urlsafe_b64encode(kept).decode(), _PATIENCE_S))
    return answer


@get(f"{PATH}/answer", include_in_schema=False)
async def come_back(request: Request[None, None, State], service: Service) -> Redirect:
    """Let in whom the provider vouches for."""
    from lockgate.hub.members.code_flow import failed  # noqa: PLC0415
    from lockgate.hub.members.openid_claims import Begun  # noqa: PLC0415

    await service.doorman.knock(address_of(request.scope))
    try:
        kept = msgspec.json.decode(base64.urlsafe_b64decode(request.cookies.get(BEGUN, "")), type=_Kept)
    except (ValueError, msgspec.DecodeError):
        raise failed("it was not begun in this browser, or too long ago") from None
    begun = Begun(url="", state=kept.state, nonce=kept.nonce, verifier=kept.verifier)
    client, settings = _client(service), service.logins.openid
    assert settings is not None
    asked = {name: str(value) for name, value in request.query_params.items()}
    login = await asyncio.to_thread(client.finish, begun, asked, _redirect_uri(service))
    actor = await asyncio.to_thread(enter, service.book, login, settings.new_members)
    await service.doorman.welcome(address_of(request.scope))
    answer = Redirect(service.url(own_path(kept.path)), status_code=303)
    answer.set_cookie(await begin(request, service, actor.name))
    answer.set_cookie(_cookie(request, service, "", 0))
    return answer


def _client(service: Service) -> OpenId:
    """Return the provider's client, made when it is first needed. Raises `UserError` (`login-unknown`)."""
    if service.logins.openid is None:
        raise UserError(
            "this hub has no OpenID provider", "Log in with name and password.", code="login-unknown"
        )
    if service.openid is None:
        from lockgate.hub.members.openid import OpenId  # noqa: PLC0415  (an extra)

        settings = service.logins.openid
        service.openid = OpenId(settings, client_secret(service.hub, settings))
    return service.openid


def _redirect_uri(service: Service) -> str:
    if not service.settings.public_url:
        raise UserError(
            "hub.toml has [openid], and no public_url to come back to",
            'Write it in [service]: public_url = "https://hub.example.org"',
            code="hub-settings",
        )
    return f"{service.settings.public_url}{PATH}/answer"


def _cookie(request: Request[None, None, State], service: Service, value: str, age_s: int) -> Cookie:
    return Cookie(
        key=BEGUN,
        value=value,
        max_age=age_s,
        path=service.url(PATH),
        httponly=True,
        samesite="lax",
        secure=request.scope["scheme"] == "https" or service.settings.is_https,
    )


handlers = [go, come_back]
