"""Finding who asks, from what a request bears: a token, a password, or nothing on a hub without members."""

from __future__ import annotations

import base64
import ipaddress
from binascii import Error as Base64Error

from litestar.types import HTTPScope

from lockgate.errors import UserError
from lockgate.hub.members.authenticate import by_token
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.tokens import id_of
from lockgate.hub.members.values import OWNER, Actor
from lockgate.hub.oauth.bearer import by_grant
from lockgate.hub.oauth.grants import is_token
from lockgate.web.doorman import login_failed
from lockgate.web.service import Service


async def identify(service: Service, scope: HTTPScope) -> Actor | None:
    """Return who a request's `Authorization` says, the owner on a hub without members; None: nobody.

    Raises `UserError`: `login-failed`, `too-many-attempts`, `hub-open`.
    """
    if service.book.is_open:
        require_loopback(scope)
        return OWNER
    given = header(scope, b"authorization")
    if not given:
        return None
    kind, _, value = given.partition(" ")
    address = address_of(scope)
    if kind.lower() == "bearer":
        return await service.doorman.token(value.strip(), address)
    if kind.lower() != "basic":
        raise login_failed()
    name, secret = _name_and_secret(value)
    if id_of(secret) is not None or is_token(secret):
        return await service.doorman.token(secret, address)
    return await service.doorman.password(name, secret, address)


def identify_again(service: Service, scope: HTTPScope, password: str | None) -> Actor | None:
    """Return who a request that was let in is by now; None: nobody any more.

    No password is reckoned again: it is good as long as its member's digest is `password`, what it was then.
    """
    if service.book.is_open:
        return OWNER
    kind, _, value = header(scope, b"authorization").partition(" ")
    name, secret = _name_and_secret(value) if kind.lower() == "basic" else ("", value.strip())
    if is_token(secret):
        return by_grant(service.book, service.database, secret)
    if id_of(secret) is not None:
        return by_token(service.book, secret)
    member = service.book.find(name)
    return actor_of(member) if member is not None and member.password == password else None


def _name_and_secret(value: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (Base64Error, ValueError):
        raise login_failed() from None
    return name, secret


def require_loopback(scope: HTTPScope) -> None:
    """A hub without members is everybody's who reaches it: so only its own host may, by its own name.

    Raises `UserError` (`hub-open`).
    """
    host = header(scope, b"host").rsplit("@", 1)[-1]
    name = host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.partition(":")[0]
    if not (is_loopback(address_of(scope)) and (name == "localhost" or is_loopback(name))):
        raise UserError(
            "this hub has no members yet, so it answers its own host only",
            "On that host: lockgate hub member add NAME --operator",
            code="hub-open",
        )


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def address_of(scope: HTTPScope) -> str:
    client = scope["client"]
    return client[0] if client else ""


def header(scope: HTTPScope, name: bytes) -> str:
    """Return a header's value, "" where there is none, or more than one."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""
