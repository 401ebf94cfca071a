"""How people of elsewhere log in: the tables `[openid]`, `[jupyterhub]` and `[ldap]` of `hub.toml`."""

from __future__ import annotations

import importlib.util
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


class JupyterHubSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JupyterHub that people log in to, and of which the hub is a service."""

    url: str
    """Where people reach it, without `/hub`."""
    token_file: str
    """A file of the hub's directory, mode 0600, with the `api_token` of the service."""
    client_id: str = "service-lockgate"
    """Its `oauth_client_id`."""
    label: str = "JupyterHub"
    """As the login page calls it."""
    has_same_names: bool = False
    """Whether a user of it is the member of the same name."""
    new_members: NewMembers = "none"


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
    jupyterhub: JupyterHubSettings | None = None
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
        require_package("joserfc", "openid")
        require_safe(logins.openid.issuer, "https")
    if logins.jupyterhub is not None:
        require_package("httpx", "jupyterhub")
        logins = msgspec.structs.replace(logins, jupyterhub=_settled(logins.jupyterhub))
    if logins.ldap is not None:
        _require_ldap(logins.ldap)
    return logins


def read_secret(hub: Hub, file: str) -> str:
    """Return the secret in a file of the hub's directory. Raises `UserError` (`hub-settings`)."""
    path = hub.root / file
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _wrong(f"{path} may be read by others: chmod 600")
        secret = path.read_text("utf-8").strip()
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _wrong(f"{path} holds no text") from None
    if not secret:
        raise _wrong(f"{path} is empty")
    return secret


def require_package(package: str, table: str) -> None:
    """Refuse a table that nothing here can fulfil. Raises `UserError` (`hub-settings`)."""
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"[{table}] in {FILE} needs a package that is not installed: {package}",
            'Install it beside Lockgate: pip install "lockgate[oidc]"',
            code="hub-settings",
        )


def require_safe(url: str, scheme: str) -> None:
    """Refuse an address over which a secret would go in the clear; this machine's own is none.

    Raises `UserError` (`hub-settings`).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _wrong(f"{url} is no address") from None
    is_here = host in ("127.0.0.1", "::1", "localhost")
    if not host or (parts.scheme != scheme and not (is_here and parts.scheme == scheme.rstrip("s"))):
        raise _wrong(f"{url} is not an address that begins with {scheme}://")


def _settled(settings: JupyterHubSettings) -> JupyterHubSettings:
    require_safe(settings.url, "https")
    url, parts = settings.url.rstrip("/"), urlsplit(settings.url)
    if parts.query or parts.fragment or parts.username or not settings.url.isascii() or " " in url:
        raise _wrong(f"[jupyterhub] url is no plain address: {settings.url}")
    if url.endswith("/hub"):
        raise _wrong(f"[jupyterhub] url ends before /hub: {url.removesuffix('/hub')}")
    return msgspec.structs.replace(settings, url=url)


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
