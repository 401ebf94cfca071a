"""What a program asks of the hub when it sends somebody here, and whether it may: without clock and network.

RFC 6749 (section 4.1), RFC 7636 (PKCE), RFC 9700 (best current practice), OpenID Connect Core 1.0 (3.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.hub.oauth.client import Client

#: So many characters a request may have: it passes the login as a part of an address.
LONGEST = 1900

_NAMES = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "response_mode", "request", "request_uri", "max_age",
)  # fmt: skip
#: A SHA-256, in base64 without padding (RFC 7636, section 4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
#: RFC 6749, appendix A.5: VSCHAR.
_VISIBLE = re.compile(r"[\x20-\x7e]*")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is in order."""

    client: Client
    redirect_uri: str
    """Where to send them back to; "": that is decided once it is known who they are."""
    state: str | None
    scopes: tuple[str, ...]
    nonce: str
    challenge: str
    """Of the verifier that only who asked can show; "": none was sent."""
    prompt: Literal["", "none", "consent"]

    @property
    def has_to_ask(self) -> bool:
        """Whether the member is asked first."""
        return not self.client.is_trusted or self.prompt == "consent"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is not in order, of a program and to a place that are known: it is told there."""

    redirect_uri: str
    state: str | None
    error: str
    words: str


def read_request(
    pairs: Sequence[tuple[str, str]], clients: Mapping[str, Client], member: str | None
) -> Asked | Refusal:
    """Return what is asked. `member` is who is logged in, None: nobody yet.

    Raises `UserError` (`oauth-request`) where nobody may be sent back: the client is not known, the place is
    not one of its own, or the request cannot be told apart.
    """
    found = _once(pairs)
    client = clients.get(found.get("client_id", ""))
    if client is None:
        raise refused("the program that sent you here is not known to this hub")
    redirect_uri = found.get("redirect_uri", "")
    if not client.leads_to(redirect_uri, member):
        if member is not None or not client.is_by_member:
            raise refused(f"{client.label} asks to send you to a place that is not registered for it")
        redirect_uri = ""
    wrong = _fault(found, client)
    state = found.get("state")
    if wrong is not None and not redirect_uri:
        raise refused(f"what {client.label} asks is not in order: {wrong[1]}")
    if wrong is not None:
        return Refusal(redirect_uri=redirect_uri, state=state, error=wrong[0], words=wrong[1])
    prompt = found.get("prompt", "")
    return Asked(
        client=client,
        redirect_uri=redirect_uri,
        state=state,
        scopes=tuple(dict.fromkeys(found.get("scope", "").split())),
        nonce=found.get("nonce", ""),
        challenge=found.get("code_challenge", ""),
        prompt="none" if prompt == "none" else "consent" if prompt == "consent" else "",
    )


def refused(words: str) -> UserError:
    return UserError(
        words, "Go back and begin anew; if it happens again, tell the hub's operator.", code="oauth-request"
    )


def _once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters that count; none may come twice (RFC 6749, section 3.1)."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in _NAMES:
            continue
        if name in found:
            raise refused(f"the request names {name} twice")
        if not _VISIBLE.fullmatch(value):
            raise refused(f"the request has a {name} with characters that cannot be")
        found[name] = value
    return found


def _fault(found: Mapping[str, str], client: Client) -> tuple[str, str] | None:
    """Return what is wrong by RFC 6749's name (section 4.1.2.1), and in words."""
    if "request" in found:
        return "request_not_supported", "request objects are not taken"
    if "request_uri" in found:
        return "request_uri_not_supported", "request objects are not taken"
    if found.get("response_type") != "code":
        return "unsupported_response_type", "response_type is code"
    if found.get("response_mode", "query") != "query":
        return "invalid_request", "response_mode is query"
    if found.get("prompt", "") not in ("", "none", "consent") or "max_age" in found:
        return "invalid_request", "prompt is none or consent, and there is no max_age"
    scopes = found.get("scope", "").split()
    if not scopes or any(scope not in client.scopes for scope in scopes):
        return "invalid_scope", f"those registered: {' '.join(client.scopes)}"
    return _challenge_fault(found, client)


def _challenge_fault(found: Mapping[str, str], client: Client) -> tuple[str, str] | None:
    """PKCE is taken of all, required of who has no secret; `plain` hides nothing (RFC 9700, 2.1.1)."""
    challenge = found.get("code_challenge")
    if challenge is None:
        if "code_challenge_method" in found:
            return "invalid_request", "a code_challenge_method without code_challenge"
        if client.secret is None:
            return "invalid_request", "code_challenge is required"
        return None
    if found.get("code_challenge_method", "plain") != "S256":
        return "invalid_request", "code_challenge_method is S256"
    if not _CHALLENGE.fullmatch(challenge):
        return "invalid_request", "code_challenge is no SHA-256"
    return None
