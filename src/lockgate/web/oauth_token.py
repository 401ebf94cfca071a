"""What programs that let people in by the hub ask it themselves: tokens, who somebody is, how it is done.

RFC 6749 (sections 3.2, 5), RFC 7009 (revocation), OpenID Connect Core 1.0 (5.3) and Discovery 1.0 (3).
"""

from __future__ import annotations

import asyncio
import base64
import time
from binascii import Error as Base64Error
from urllib.parse import unquote_plus

from litestar import Request, Response, get, post, route
from litestar.datastructures import State

from lockgate.errors import UserError
from lockgate.hub.members.changes import tell_grant
from lockgate.hub.members.values import Member
from lockgate.hub.oauth.bearer import member_behind
from lockgate.hub.oauth.client import SCOPES, Client, acting_scope
from lockgate.hub.oauth.grants import Traded, end_grant, find_grant, trade
from lockgate.hub.oauth.person import claims_of
from lockgate.hub.oauth.trading import Denied, client_of
from lockgate.web.authentication import address_of, header
from lockgate.web.logs import log
from lockgate.web.oauth_login import PATH as AUTHORIZE
from lockgate.web.oauth_login import issuer
from lockgate.web.service import Service

TOKEN, PERSON, REVOKE, KEYS = "/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/oauth/keys"

_Answer = Response[dict[str, object]]


async def _by_itself(request: Request[None, None, State]) -> None:
    """A program says who it is by its own secret: no cookie counts here, so no page can misuse one."""


@post(TOKEN, include_in_schema=False, status_code=200, before_request=_by_itself)
async def token(request: Request[None, None, State], service: Service) -> _Answer:
    """Trade a code for a token."""
    form = await _form(request)
    client = await _client(request, service, form)
    if isinstance(client, Denied):
        return _denied(client)
    if form is None or form.get("grant_type") != "authorization_code":
        kind = "unsupported_grant_type" if form and "grant_type" in form else "invalid_request"
        return _denied(Denied(kind, "grant_type is authorization_code"))
    traded = await asyncio.to_thread(_trade, service, client, form)
    if isinstance(traded, Denied):
        log.warning(
            "a code was refused to %s: %s", client.id, traded.words,
            extra={"action": "oauth.refused", "client": client.id},
        )  # fmt: skip
        return _denied(traded)
    return Response(traded)


@route(
    PERSON, http_method=["GET", "POST"], include_in_schema=False, status_code=200, before_request=_by_itself
)
async def person(request: Request[None, None, State], service: Service) -> _Answer:
    """Tell who let the bearer of this token know it."""
    kind, _, secret = header(request.scope, b"authorization").partition(" ")
    if kind.lower() != "bearer":
        return _challenged(None)
    found = await asyncio.to_thread(_behind, service, secret.strip())
    if found is None:
        return _challenged("invalid_token")
    member, scopes = found
    if "openid" not in scopes:
        return _challenged("insufficient_scope")
    return Response(claims_of(member, scopes))


@post(REVOKE, include_in_schema=False, status_code=200, before_request=_by_itself)
async def revoke(request: Request[None, None, State], service: Service) -> _Answer:
    """End a token; one that is over, or another's, is no error to its bearer (RFC 7009, section 2.2)."""
    form = await _form(request)
    client = await _client(request, service, form)
    if isinstance(client, Denied):
        return _denied(client)
    if form is None or "token" not in form:
        return _denied(Denied("invalid_request", "there is no token"))
    await asyncio.to_thread(_end, service, client, form["token"])
    return Response({})


@get("/.well-known/openid-configuration", include_in_schema=False, sync_to_thread=False)
def described(service: Service) -> dict[str, object]:
    """How the hub is asked."""
    _require_clients(service)
    name = issuer(service)
    return {
        "issuer": name,
        "authorization_endpoint": name + AUTHORIZE,
        "token_endpoint": name + TOKEN,
        "userinfo_endpoint": name + PERSON,
        "revocation_endpoint": name + REVOKE,
        "jwks_uri": name + KEYS,
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nonce",
            "preferred_username", "name", "email", "email_verified", "groups",
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "consent"],
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip


@get(KEYS, include_in_schema=False, sync_to_thread=True)
def keys(service: Service) -> dict[str, object]:
    """The public key that ID tokens are checked by."""
    _require_clients(service)
    return service.oauth_signer().public()


def _require_clients(service: Service) -> None:
    if not service.clients:
        raise UserError(
            "this hub lets nobody in elsewhere",
            "Its operator registers programs: docs/how-to/jupyterhub.md",
            code="oauth-unknown",
        )


def _trade(service: Service, client: Client, form: dict[str, str]) -> dict[str, object] | Denied:
    traded = trade(
        service.database,
        client,
        form.get("code", ""),
        form.get("redirect_uri", ""),
        form.get("code_verifier", ""),
    )
    if isinstance(traded, Denied):
        return traded
    member = member_behind(service.book, traded.grant)
    if member is None:
        end_grant(service.database, traded.token)
        return Denied("invalid_grant", "the member is gone, or has another password since")
    scope = acting_scope(traded.grant.scopes)
    if scope is not None:
        tell_grant(service.book, member.name, client.label, scope)
    return _tokens(service, client, member, traded)


def _end(service: Service, client: Client, secret: str) -> None:
    grant = find_grant(service.database, secret)
    if grant is None or grant.client != client.id:
        return
    end_grant(service.database, secret)
    scope, member = acting_scope(grant.scopes), member_behind(service.book, grant)
    if scope is not None and member is not None:
        tell_grant(service.book, member.name, client.label, scope, is_over=True)


def _tokens(service: Service, client: Client, member: Member, traded: Traded) -> dict[str, object]:
    scopes = traded.grant.scopes
    told: dict[str, object] = {
        "access_token": traded.token,
        "token_type": "Bearer",
        "expires_in": int(client.token_s),
        "scope": " ".join(scopes),
    }
    if "openid" in scopes:
        now = int(time.time())
        about: dict[str, object] = {"iss": issuer(service), "aud": client.id, "iat": now, "exp": now + 300}
        about |= {"nonce": traded.grant.nonce} if traded.grant.nonce else {}
        told["id_token"] = service.oauth_signer().id_token(claims_of(member, scopes) | about)
    return told


def _behind(service: Service, secret: str) -> tuple[Member, tuple[str, ...]] | None:
    grant = find_grant(service.database, secret)
    member = member_behind(service.book, grant) if grant is not None else None
    return (member, grant.scopes) if member is not None and grant is not None else None


async def _form(request: Request[None, None, State]) -> dict[str, str] | None:
    """Return the form's fields; None: it is none, or names one twice (RFC 6749, section 3.2)."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    pairs = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else None


async def _client(
    request: Request[None, None, State], service: Service, form: dict[str, str] | None
) -> Client | Denied:
    if form is None:
        return Denied("invalid_request", "the request is a form that names each field once")
    basic = None
    given = header(request.scope, b"authorization")
    if given:
        basic = _basic(given)
        if basic is None:
            return Denied("invalid_client", "the client says who it is by Basic or in the form")
    client = client_of(service.clients, form, basic)
    if isinstance(client, Denied):
        log.warning("a client was refused: %s", client.words, extra={"action": "oauth.refused"})
        # Codes and tokens are beyond guessing; a secret may be of somebody's making
        await service.doorman.turn_away(address_of(request.scope))
    return client


def _basic(given: str) -> tuple[str, str] | None:
    """Id and secret are encoded before they are joined: RFC 6749, section 2.3.1."""
    kind, _, value = given.partition(" ")
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (Base64Error, ValueError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if kind.lower() == "basic" and colon else None


def _denied(denied: Denied) -> _Answer:
    status = 401 if denied.error == "invalid_client" else 400
    headers = {"www-authenticate": 'Basic realm="Lockgate"'} if status == 401 else {}
    return Response(
        {"error": denied.error, "error_description": denied.words}, status_code=status, headers=headers
    )


def _challenged(error: str | None) -> _Answer:
    """RFC 6750, section 3: no error is named to who brought no token."""
    status = 403 if error == "insufficient_scope" else 401
    words = 'Bearer realm="Lockgate"' + (f', error="{error}"' if error else "")
    body: dict[str, object] = {"error": error} if error else {}
    return Response(body, status_code=status, headers={"www-authenticate": words})


handlers = [token, person, revoke, described, keys]
