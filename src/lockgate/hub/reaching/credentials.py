"""The tokens by which this person reaches hubs over HTTP: one file, readable by its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError

#: A token for one call, whatever is kept: for machines that nobody logs in on.
VARIABLE = "LOCKGATE_TOKEN"


class Credential(msgspec.Struct, frozen=True):
    """What was kept at a login."""

    member: str
    token: str
    expires_at: str | None = None
    """UTC, ISO 8601; None: it does not expire."""
    client: str = ""
    """Whose it is on the hub, as its `hub.toml` calls programs; "": a token of the member's own."""


class _File(msgspec.Struct, frozen=True):
    hubs: dict[str, Credential] = {}
    """By the hub's address, as `https://hub.example.org/lockgate`."""


def place() -> Path:
    """Return where they are kept: `hubs.json` below `$XDG_CONFIG_HOME`."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(configuration).expanduser() / "lockgate" / "hubs.json"


def credential_for(base: str) -> Credential | None:
    """Return the credential of the hub at this address; the variable's token goes before the one kept.

    Raises `UserError` (`credentials-damaged`).
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Credential("token", named)
    return _read().hubs.get(base)


def keep(base: str, credential: Credential) -> None:
    """Keep a credential. Raises `OutsideError` (`credentials-unwritable`)."""
    _write({**_read().hubs, base: credential})


def forget(base: str) -> Credential | None:
    """Remove the credential of a hub; return it."""
    hubs = dict(_read().hubs)
    found = hubs.pop(base, None)
    if found is not None:
        _write(hubs)
    return found


def _read() -> _File:
    path = place()
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}",
            f"Remove it and log in again: rm {path}",
            code="credentials-damaged",
        ) from None


def _write(hubs: dict[str, Credential]) -> None:
    path = place()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    content = msgspec.json.format(msgspec.json.encode(_File(dict(sorted(hubs.items())))), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise OutsideError(
            f"{path} cannot be written: {error.strerror or error}",
            f"Make room, or name another place by XDG_CONFIG_HOME; or give the token by {VARIABLE}.",
            code="credentials-unwritable",
        ) from None
