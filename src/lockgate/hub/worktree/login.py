"""Getting into a hub's service: a token is made there, kept here, and handed to git when it asks."""

from __future__ import annotations

import base64
import shlex
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt
from lockgate.hub.instant import iso
from lockgate.hub.reaching import credentials
from lockgate.hub.reaching.address import service_base
from lockgate.hub.reaching.credentials import Credential
from lockgate.hub.reaching.http_client import HttpClient

_LOOPBACK = ("http://127.", "http://localhost", "http://[::1]")


class LoggedIn(msgspec.Struct, frozen=True):
    """A login that worked. `expires_at`: UTC, ISO 8601."""

    base: str
    member: str
    expires_at: str | None = None
    warnings: tuple[str, ...] = ()


class LoggedOut(msgspec.Struct, frozen=True):
    base: str
    was_there: bool
    warnings: tuple[str, ...] = ()


class _Me(msgspec.Struct, frozen=True):
    name: str


class _Token(msgspec.Struct, frozen=True):
    id: str
    expires_at: str | None = None


class _Issued(msgspec.Struct, frozen=True):
    token: _Token
    secret: str


def log_in_by_password(url: str, member: str, password: str, days: int) -> LoggedIn:
    """Have the hub make a token for this machine, and keep it.

    Raises what the hub refuses with (`login-failed`, `too-many-attempts`), `UserError` (`hub-url`),
    `OutsideError` (`hub-unreachable`, `hub-answer`).
    """
    base = service_base(url)
    words = base64.b64encode(f"{member}:{password}".encode()).decode()
    client = HttpClient(base, f"Basic {words}")
    name = f"login at {iso(time.time()).replace(':', '.')} on {socket.gethostname()}"[:80]
    issued = client.post(["tokens"], _Issued, {"name": name, "scope": "write", "days": days})
    return keep(base, member, issued.secret, issued.token.expires_at)


def log_in_by_token(url: str, token: str) -> LoggedIn:
    """Keep a token that was made on the hub's pages, if the hub takes it. Raises as above."""
    base = service_base(url)
    if not token:
        raise UserError(
            "there is no token on standard input",
            "Give it like this: lockgate login URL --token-stdin < token.txt",
            code="login-failed",
        )
    me = HttpClient(base, f"Bearer {token}").get(["me"], _Me)
    return keep(base, me.name, token, None)


def log_out(url: str) -> LoggedOut:
    """Forget the token of a hub and have it revoked there, if the hub can be reached."""
    base = service_base(url)
    kept = credentials.forget(base)
    attempt(Path("/"), "config", "--global", "--remove-section", f"credential.{base}")
    if kept is None:
        return LoggedOut(base, False)
    try:
        if kept.client:
            form = {"client_id": kept.client, "token": kept.token}
            HttpClient(base).post_form("/oauth/revoke", dict, form)
        else:
            HttpClient(base, f"Bearer {kept.token}").delete(["tokens", kept.token.split("_")[1]])
    except (LockgateError, IndexError) as error:
        return LoggedOut(base, True, (f"the hub was not told, and its token holds on: {error}",))
    return LoggedOut(base, True)


def answer_git(asked: Mapping[str, str]) -> str:
    """Return what git is told of a credential (git-credential(1), INPUT/OUTPUT FORMAT); nothing where no
    login fits."""
    url = f"{asked.get('protocol', '')}://{asked.get('host', '')}/{asked.get('path', '')}"
    try:
        base = service_base(url.partition("/git/")[0])
    except UserError:
        return ""
    found = credentials.credential_for(base)
    return f"username={found.member}\npassword={found.token}\n" if found is not None else ""


def keep(base: str, member: str, token: str, expires_at: str | None, client: str = "") -> LoggedIn:
    """Keep a token of a hub, for lockgate and for git. Raises `OutsideError` (`credentials-unwritable`)."""
    credentials.keep(base, Credential(member, token, expires_at, client))
    helper = f"!{shlex.quote(sys.executable)} -I -m lockgate git-credential"
    warnings = []
    for name, value in (("helper", helper), ("useHttpPath", "true")):
        code, _, error = attempt(
            Path("/"), "config", "--global", "--replace-all", f"credential.{base}.{name}", value
        )
        if code != 0:
            words = error.decode("utf-8", "replace").strip()
            warnings.append(f"git could not be told of the login: {words}")
            break
    if base.startswith("http://") and not base.startswith(_LOOPBACK):
        warnings.append(f"{base} is not encrypted: whoever is on the way can read your token")
    return LoggedIn(base, member, expires_at, tuple(warnings))
