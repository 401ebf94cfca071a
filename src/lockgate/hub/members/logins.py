"""How people of elsewhere log in: the tables `[openid]` and `[ldap]` of the hub's `hub.toml`."""

from __future__ import annotations

import stat
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.hub.directory import Hub

FILE = "hub.toml"

NewMembers = Literal["none", "viewer"]


class OpenIdSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An OpenID Connect provider."""

    issuer: str
    client_id: str
    client_secret_file: str = ""
    """A file of the hub's directory, mode 0600; "": a public client."""
    label: str = "single sign-on"
    """As the login page calls it."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    new_members: NewMembers = "none"
    """What a person becomes whom the book does not know: nothing, or a viewer of every project."""


class LdapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A directory, asked by binding as the person."""

    url: str
    person: str
    """The name to bind as, `uid={name},ou=people,dc=example,dc=org`; for `{name}` stands what was typed."""
    is_start_tls: bool = False
    ca_file: str = ""
    """Whose certificates count; "": the system's."""
    email_attribute: str = "mail"
    full_name_attribute: str = "cn"
    label: str = "directory"
    new_members: NewMembers = "none"
    timeout_s: int = 10


class Logins(msgspec.Struct, frozen=True, kw_only=True):
    """The ways to log in besides passwords and tokens."""

    openid: OpenIdSettings | None = None
    ldap: LdapSettings | None = None


def read_logins(hub: Hub) -> Logins:
    """Return what `hub.toml` says. Raises `UserError` (`hub-settings`)."""
    path = hub.root / FILE
    try:
        logins = msgspec.convert(tomli.loads(path.read_text("utf-8")), Logins)
    except FileNotFoundError:
        return Logins()
    except (tomli.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _wrong(str(error)) from None
    if logins.openid is not None:
        require_safe(logins.openid.issuer, "https")
    if logins.ldap is not None:
        _require_ldap(logins.ldap)
    return logins


def client_secret(hub: Hub, settings: OpenIdSettings) -> str | None:
    """Return the secret of the client; None: it has none. Raises `UserError` (`hub-settings`)."""
    if not settings.client_secret_file:
        return None
    path = hub.root / settings.client_secret_file
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _wrong(f"{path} may be read by others: chmod 600")
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from None


def require_safe(url: str, scheme: str) -> None:
    """Refuse an address over which a secret would go in the clear; this machine's own is none.

    Raises `UserError` (`hub-settings`).
    """
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or (
        parts.scheme != scheme and not (is_here and parts.scheme == scheme.rstrip("s"))
    ):
        raise _wrong(f"{url} is not an address that begins with {scheme}://")


def _require_ldap(settings: LdapSettings) -> None:
    if not settings.is_start_tls:
        require_safe(settings.url, "ldaps")
    elif not settings.url.startswith("ldap://"):
        raise _wrong("is_start_tls goes with ldap://")
    if settings.person.count("{name}") != 1 or settings.person.count("{") != 1:
        raise _wrong("[ldap] person has {name} exactly once")


def _wrong(words: str) -> UserError:
    return UserError(
        f"{FILE} cannot be used: {words}",
        "Correct it; its keys: docs/reference/hub-toml.md",
        code="hub-settings",
    )
