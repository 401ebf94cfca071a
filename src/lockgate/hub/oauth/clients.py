"""Which programs may ask the hub who somebody is: the tables `[oauth.NAME]` of the hub's `hub.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.logins import read_secret, require_package
from lockgate.hub.oauth.client import MEMBER, SCOPES, Client, secret_digest

FILE = "hub.toml"
#: A secret is kept as a plain digest: so it has to be one that nobody guesses.
SHORTEST_SECRET = 32

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    redirect_uris: tuple[str, ...]
    label: str = ""
    secret_sha256: str = ""
    secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email", "groups")
    is_trusted: bool = False
    token_hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 366)] = 12


class _HubFile(msgspec.Struct, frozen=True):
    oauth: dict[str, _Table] = {}


def read_clients(hub: Hub) -> Mapping[str, Client]:
    """Return the clients by their id, as `hub.toml` says. Raises `UserError` (`hub-settings`)."""
    path = hub.root / FILE
    try:
        tables = msgspec.convert(tomli.loads(path.read_text("utf-8")), _HubFile).oauth
    except FileNotFoundError:
        return {}
    except (tomli.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _wrong(str(error)) from None
    if tables:
        require_package("joserfc", "oauth")
    return {name: _client(hub, name, table) for name, table in tables.items()}


def _client(hub: Hub, name: str, table: _Table) -> Client:
    def wrong(words: str) -> UserError:
        return _wrong(f"[oauth.{name}] {words}")

    if not _ID.fullmatch(name):
        raise _wrong(f"[oauth]: {name!r} cannot be a client's id")
    unknown = [scope for scope in table.scopes if scope not in SCOPES]
    if unknown:
        raise wrong(f"has the scope {unknown[0]}; those there are: {', '.join(SCOPES)}")
    if not table.redirect_uris:
        raise wrong("has no redirect_uris")
    for uri in table.redirect_uris:
        if not _is_safe(uri):
            raise wrong(
                f"cannot send people to {uri}: https://…, or http:// on this machine; no #, * or user"
            )
    if table.secret_sha256 and table.secret_file:
        raise wrong("has a secret_sha256 and a secret_file: keep one")
    digest = table.secret_sha256.lower()
    if digest and not _DIGEST.fullmatch(digest):
        raise wrong("secret_sha256 is no SHA-256: printf %s SECRET | sha256sum")
    if table.secret_file:
        digest = secret_digest(_secret(hub, name, table.secret_file))
    label = "".join(c for c in table.label if c.isprintable())[:80].strip() or name
    return Client(
        id=name,
        label=label,
        secret=digest or None,
        redirect_uris=table.redirect_uris,
        scopes=table.scopes,
        is_trusted=table.is_trusted,
        token_s=table.token_hours * 3600,
    )


def _secret(hub: Hub, name: str, file: str) -> str:
    secret = read_secret(hub, file)
    if len(secret) < SHORTEST_SECRET:
        raise _wrong(f"[oauth.{name}] has a secret below {SHORTEST_SECRET} characters: openssl rand -hex 32")
    return secret


def _is_safe(uri: str) -> bool:
    """Whether a code may be sent there: over TLS, or to this machine (RFC 9700, 2.6; RFC 8252, 7.3)."""
    filled = uri.replace(MEMBER, "name")
    try:
        parts = urlsplit(filled)
        is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
        is_plain = parts.username is None and parts.password is None and not parts.fragment
    except ValueError:
        return False
    has_rest = bool(set("{}*\\#") & set(filled)) or not filled.isascii() or not filled.isprintable()
    is_member_in_path = (
        MEMBER not in f"{parts.netloc}" and MEMBER not in uri.partition("://")[2].partition("/")[0]
    )
    is_known = parts.scheme == "https" or (is_here and parts.scheme == "http")
    return (
        bool(parts.hostname)
        and is_known
        and is_plain
        and not has_rest
        and is_member_in_path
        and " " not in uri
    )


def _wrong(words: str) -> UserError:
    return UserError(
        f"{FILE} cannot be used: {words}",
        "Correct it; its keys: docs/reference/hub-toml.md",
        code="hub-settings",
    )
