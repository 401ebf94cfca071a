"""How the service is set: the table `[service]` of the hub's `hub.toml`, and what its start was given."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.hub.directory import Hub

FILE = "hub.toml"

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a hub's owner may set. Sizes in bytes, times as their names say."""

    public_url: str = ""
    """How members reach the service, `https://hub.example.org/lockgate`; "": as each request names it."""
    prefix: str = ""
    """The path it lies under, `/lockgate`; taken from `public_url` where that is set."""
    is_behind_proxy: bool = False
    """Whether a reverse proxy stands before it, whose X-Forwarded-For and -Proto are believed."""
    session_days: int = 14
    body_limit_bytes: int = 10_000_000
    """The largest request that is no push."""
    push_limit_bytes: int = 0
    """The largest push; 0: any."""
    picture_limit_bytes: int = 20_000_000
    """The largest picture to be traced."""
    watchers_limit: int = 2000
    """So many open streams of events at most."""
    jupyter_url: str = ""
    """Where members open projects: a Jupyter server, or a JupyterHub's `/hub/user-redirect`; "": nowhere."""
    metrics_token_sha256: str = ""
    """SHA-256 (hex) of the token that may read `/metrics` from elsewhere; "": none may."""

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


class _HubFile(msgspec.Struct, frozen=True):
    service: Settings = Settings()


def read_settings(hub: Hub) -> Settings:
    """Return what `hub.toml` says, the defaults where there is none. Raises `UserError` (`hub-settings`)."""
    path = hub.root / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Settings()
    try:
        settings = msgspec.convert(tomli.loads(text), _HubFile).service
    except (tomli.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UserError(
            f"{path} cannot be used: {error}",
            "Correct it; its keys: docs/reference/hub-toml.md",
            code="hub-settings",
        ) from None
    return settle(settings)


def settle(settings: Settings) -> Settings:
    """Return the settings with the public address's prefix. Raises `UserError` (`hub-settings`)."""
    url = urlsplit(settings.public_url)
    if settings.public_url and (url.scheme not in ("http", "https") or not url.netloc or url.query):
        raise _wrong(f"public_url is no address: {settings.public_url}")
    prefix = (url.path if settings.public_url else settings.prefix).rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise _wrong(f"a path cannot begin with {prefix!r}")
    jupyter = urlsplit(settings.jupyter_url)
    if settings.jupyter_url and (
        jupyter.scheme not in ("http", "https") or not jupyter.netloc or jupyter.query or jupyter.fragment
    ):
        raise _wrong(
            f"jupyter_url is no address: {settings.jupyter_url}",
            'Write it as jupyter_url = "https://jupyter.example.org/hub/user-redirect"',
        )
    if settings.metrics_token_sha256 and not _SHA256.fullmatch(settings.metrics_token_sha256):
        raise _wrong(
            "metrics_token_sha256 is no SHA-256", "Its 64 characters are told by: printf %s TOKEN | sha256sum"
        )
    return msgspec.structs.replace(settings, prefix=prefix, public_url=settings.public_url.rstrip("/"))


def _wrong(what: str, hint: str = 'Write it as public_url = "https://hub.example.org/lockgate"') -> UserError:
    return UserError(
        f"[service] in {FILE}: {what}",
        hint,
        code="hub-settings",
    )
