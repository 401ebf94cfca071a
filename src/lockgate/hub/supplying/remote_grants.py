"""Which remotes the operator lets which projects reach through the hub: `[credentials.NAME]` of `hub.toml`.

A project only names an address. What is sent there, and to which host, is decided by the grant alone, so that
nobody can point the hub's credentials at another place, or at another project's part of the same one.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.hub.directory import Hub

FILE = "hub.toml"
_PORTS = {"ssh": 22, "http": 80, "https": 443}


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"projects": "for"}):
    """One table `[credentials.NAME]`."""

    url: str
    """What lies at it and below it may be reached."""
    projects: tuple[str, ...]
    """For these."""
    file: str = ""
    """A TOML file of the hub's directory, mode 0600, with DVC's options that are secret; "": none."""
    options: dict[str, str] = {}
    """DVC's other options, as `endpointurl` and `region`."""


class _HubFile(msgspec.Struct, frozen=True):
    credentials: dict[str, Grant] = {}


class _Place(msgspec.Struct, frozen=True):
    scheme: str
    host: str
    port: int | None
    parts: tuple[str, ...]


class Way(msgspec.Struct, frozen=True):
    """How a remote is reached. `options` are secret: they are shown and kept nowhere."""

    url: str
    options: Mapping[str, str]


def read_grants(hub: Hub) -> dict[str, Grant]:
    """Return the grants by name. Raises `UserError` (`hub-settings`)."""
    path = hub.root / FILE
    try:
        grants = msgspec.convert(tomli.loads(path.read_text("utf-8")), _HubFile).credentials
    except FileNotFoundError:
        return {}
    except (tomli.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise _wrong(f"{path} cannot be used: {error}") from None
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from None
    for name, grant in grants.items():
        if _place(grant.url) is None:
            raise _wrong(f"[credentials.{name}] in {FILE}: url is no address of a remote")
        if urlsplit(grant.url).password is not None:
            raise _wrong(
                f"[credentials.{name}] in {FILE}: the password stands in url; it belongs into its file"
            )
    return grants


def way_to(hub: Hub, project: str, url: str) -> Way | None:
    """Return how the hub reaches a project's remote; None: nobody granted it.

    Raises `UserError` (`hub-settings`).
    """
    wanted = _place(url)
    if wanted is None:
        return None
    granted = [
        (len(place.parts), name, grant)
        for name, grant in read_grants(hub).items()
        if project in grant.projects
        and (place := _place(grant.url)) is not None
        and _is_within(wanted, place)
    ]
    if not granted:
        return None
    _, name, grant = max(granted, key=lambda each: each[:2])
    parts = urlsplit(grant.url)
    there = parts._replace(path="".join(f"/{part}" for part in wanted.parts)).geturl()
    return Way(there, {**grant.options, **_secrets(hub, name, grant)})


def _secrets(hub: Hub, name: str, grant: Grant) -> dict[str, str]:
    if not grant.file:
        return {}
    path = hub.root / grant.file
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _wrong(f"[credentials.{name}]: {path} may be read by others", f"chmod 600 {path}")
        return msgspec.convert(tomli.loads(path.read_text("utf-8")), dict[str, str])
    except OSError as error:
        raise _wrong(f"[credentials.{name}]: {path} cannot be read: {error.strerror}") from None
    except (tomli.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError):
        # What is wrong is not repeated: it may be a secret
        raise _wrong(f'[credentials.{name}]: {path} has a line not of the form access_key_id = "…"') from None


def _place(url: str) -> _Place | None:
    """Return what an address means; None: it is none, or could mean another place than it seems to."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return None
    parts = tuple(part for part in found.path.split("/") if part)
    if not found.scheme or not found.hostname or found.query or found.fragment:
        return None
    if any(unquote(part) in (".", "..") or "\\" in part or "/" in unquote(part) for part in parts):
        return None
    return _Place(found.scheme, found.hostname, port or _PORTS.get(found.scheme), parts)


def _is_within(wanted: _Place, granted: _Place) -> bool:
    is_there = (wanted.scheme, wanted.host, wanted.port) == (granted.scheme, granted.host, granted.port)
    return is_there and wanted.parts[: len(granted.parts)] == granted.parts


def _wrong(words: str, hint: str = "Correct it; its keys: docs/reference/hub-toml.md") -> UserError:
    return UserError(words, hint, code="hub-settings")
