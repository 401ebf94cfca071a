"""The authorization code flow as who lets people in by another sees it: without clock and network.

RFC 6749 (4.1), RFC 7636 (PKCE), RFC 9207 (`iss`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from lockgate.errors import UserError


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that was begun: what to remember of it in the browser until it is sent back."""

    url: str
    """Where to send the browser."""
    state: str
    verifier: str
    nonce: str = ""


def challenge_of(verifier: str) -> str:
    """Return what is shown of a verifier beforehand: S256 (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def require_code(answer: Mapping[str, str], *, state: str, issuer: str, names_itself: bool, who: str) -> str:
    """Return the code out of the query that the browser came back with.

    `issuer`: whom it was sent to, called `who` in words; `names_itself`: whether their every answer says so.
    Raises `UserError` (`login-failed`): it is not the answer to this login, or says no.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise failed("this is not the answer to a login that was begun here")
    named = answer.get("iss")
    if named is None and names_itself:
        raise failed(f"{who} did not say who it is")
    if named is not None and named != issuer:
        raise failed(f"the answer does not come from {who}")
    if "error" in answer:
        words = "".join(c for c in answer.get("error_description") or answer["error"] if c.isprintable())
        raise failed(f"{who} says: {words[:200]}")
    if not answer.get("code"):
        raise failed(f"{who} sent no code")
    return answer["code"]


def failed(words: str) -> UserError:
    return UserError(f"the login did not succeed: {words}", "Begin it again.", code="login-failed")
