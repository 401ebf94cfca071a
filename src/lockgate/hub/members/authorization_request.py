"""Where a browser is sent to come back with a code: RFC 6749 (section 4.1.1), RFC 7636 (section 4.3)."""

from __future__ import annotations

from urllib.parse import urlencode

from lockgate.hub.members.code_flow import challenge_of


def authorization_url(
    endpoint: str, *, client_id: str, redirect_uri: str, state: str, verifier: str, **more: str
) -> str:
    """Return the address; `more` are parameters of the provider's own."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **more,
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
