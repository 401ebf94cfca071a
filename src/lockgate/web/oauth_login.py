"""Letting programs know who somebody is: where they send people, what these are asked, and the way back.

RFC 6749 (section 4.1), RFC 9207 (`iss`), OpenID Connect Core 1.0 (section 3.1.2).
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.errors import UserError
from lockgate.hub.members.logins import require_safe
from lockgate.hub.members.values import Member
from lockgate.hub.oauth.asking import LONGEST, Asked, Refusal, read_request, refused
from lockgate.hub.oauth.client import acting_scope
from lockgate.hub.oauth.grants import give_code
from lockgate.web.errors import to_login
from lockgate.web.logs import log
from lockgate.web.pages.forms import read_form
from lockgate.web.render import onward, render
from lockgate.web.security import UNFRAMED
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

PATH = "/oauth/authorize"


@get(PATH, include_in_schema=False)
async def ask(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Response[object] | Redirect:
    """Send a member back with a code, after asking them where the operator does not trust the program."""
    query = request.scope["query_string"].decode("latin-1")
    member = _member(service, visitor)
    asked = _read(service, query, member)
    if isinstance(asked, Refusal):
        return Redirect(_back(service, asked.redirect_uri, asked.state, _told(asked)), status_code=303)
    if member is None:
        if asked.prompt == "none" and asked.redirect_uri:
            return _silently_refused(service, asked, "login_required")
        return to_login(request)
    if not asked.has_to_ask:
        return Redirect(await _with_code(service, asked, member), status_code=303)
    if asked.prompt == "none":
        return _silently_refused(service, asked, "consent_required")
    return render(
        request,
        "consent.html",
        headers=UNFRAMED,
        client=asked.client,
        scopes=asked.scopes,
        acting=acting_scope(asked.scopes),
        member=member,
        place=urlsplit(asked.redirect_uri).netloc,
        asked=query,
    )


@post(PATH, include_in_schema=False, status_code=200)
async def answer(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Response[object]:
    """Take a member's yes or no. What was asked is judged anew: it came back through their browser."""
    form = await read_form(request)
    member = _member(service, visitor)
    if member is None:
        return to_login(request, f"{PATH}?{form.one('asked')}")
    asked = _read(service, form.one("asked"), member)
    if isinstance(asked, Refusal):
        address = _back(service, asked.redirect_uri, asked.state, _told(asked))
    elif form.one("answer") == "allow":
        address = await _with_code(service, asked, member)
    else:
        told = {"error": "access_denied", "error_description": "the member said no"}
        address = _back(service, asked.redirect_uri, asked.state, told)
    return onward(request, address)


def issuer(service: Service) -> str:
    """Return the hub's name as a provider. Raises `UserError` (`hub-settings`)."""
    address = service.settings.public_url
    if not address:
        raise UserError(
            "hub.toml has [oauth], and no public_url by which programs know the hub",
            'Write it in [service]: public_url = "https://hub.example.org"',
            code="hub-settings",
        )
    require_safe(address, "https")
    return address


def _read(service: Service, query: str, member: Member | None) -> Asked | Refusal:
    if service.book.is_open:
        raise UserError(
            "this hub has no members yet: there is nobody to tell of",
            "On its host: lockgate hub member add NAME --operator",
            code="hub-open",
        )
    issuer(service)
    try:
        if len(query) > LONGEST:
            raise ValueError
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=40, errors="strict")
    except ValueError:
        raise refused("the request cannot be read") from None
    return read_request(pairs, service.clients, member.name if member is not None else None)


def _member(service: Service, visitor: Visitor) -> Member | None:
    """Return who is logged in with this browser: a token must not make another of itself."""
    if visitor.actor is not None and not visitor.has_session and not service.book.is_open:
        raise UserError(
            "this is for a browser in which somebody is logged in",
            "Open it without a token or password in the request.",
            code="not-allowed",
        )
    return service.book.find(visitor.name) if visitor.has_session else None


async def _with_code(service: Service, asked: Asked, member: Member) -> str:
    code = await asyncio.to_thread(
        give_code,
        service.database,
        asked.client,
        member,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        scopes=asked.scopes,
        nonce=asked.nonce,
    )
    log.info(
        "%s let in to %s", member.name, asked.client.id,
        extra={"action": "oauth.login", "member": member.name, "client": asked.client.id},
    )  # fmt: skip
    return _back(service, asked.redirect_uri, asked.state, {"code": code})


def _silently_refused(service: Service, asked: Asked, error: str) -> Redirect:
    return Redirect(_back(service, asked.redirect_uri, asked.state, {"error": error}), status_code=303)


def _told(refusal: Refusal) -> dict[str, str]:
    return {"error": refusal.error, "error_description": refusal.words}


def _back(service: Service, redirect_uri: str, state: str | None, values: dict[str, str]) -> str:
    """Return the address to send somebody to; who answers is named against mix-ups (RFC 9207)."""
    told = values | ({"state": state} if state is not None else {}) | {"iss": issuer(service)}
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(told)}"


handlers = [ask, answer]
