"""What an OpenID provider says, and whether to believe it: without clock and network.

OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (`iss`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from lockgate.errors import OutsideError
from lockgate.hub.members.authorization_request import authorization_url
from lockgate.hub.members.binding import Login
from lockgate.hub.members.code_flow import Begun, failed, require_code

#: Signatures by a key of the provider alone: neither `none` nor the client's secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Clocks differ by so much at most.
LEEWAY_S = 60


class Provider(msgspec.Struct, frozen=True):
    """The provider's own description (Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    authorization_response_iss_parameter_supported: bool = False


def require_provider(provider: Provider, issuer: str) -> Provider:
    """Refuse a description of somebody else, or with addresses that are not safe.

    Raises `OutsideError` (`openid-provider`).
    """
    if provider.issuer != issuer:
        raise broken(f"it calls itself {provider.issuer[:200]}, not {issuer}")
    for url in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
        if not is_safe(url):
            raise broken(f"{url[:200]} is not https")
    return provider


def is_safe(url: str) -> bool:
    """Return whether an address is https, or this machine's own."""
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(parts.hostname) and (parts.scheme == "https" or (is_here and parts.scheme == "http"))


def begin(
    provider: Provider,
    *,
    client_id: str,
    scopes: tuple[str, ...],
    redirect_uri: str,
    state: str,
    nonce: str,
    verifier: str,
) -> Begun:
    """Return where to send the browser: authorization code flow with PKCE (RFC 7636, S256)."""
    url = authorization_url(
        provider.authorization_endpoint,
        client_id=client_id,
        redirect_uri=redirect_uri,
        state=state,
        verifier=verifier,
        scope=" ".join(scopes),
        nonce=nonce,
    )
    return Begun(url=url, state=state, verifier=verifier, nonce=nonce)


def require_answer(provider: Provider, begun: Begun, answer: Mapping[str, str]) -> str:
    """Return the code out of the query that the browser came back with. Raises as `require_code`."""
    return require_code(
        answer,
        state=begun.state,
        issuer=provider.issuer,
        names_itself=provider.authorization_response_iss_parameter_supported,
        who="the provider",
    )


def require_claims(
    claims: Mapping[str, object], *, issuer: str, client_id: str, nonce: str, now: float
) -> None:
    """Refuse an ID token that is not for us, not of now, or not of this login (Core 1.0, section 3.1.3.7).

    Raises `UserError` (`login-failed`).
    """
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    subject, given = claims.get("sub"), claims.get("nonce")
    expires, issued = claims.get("exp"), claims.get("iat")
    if claims.get("iss") != issuer:
        raise failed("the ID token is of another provider")
    if client_id not in audiences or (len(audiences) > 1 and claims.get("azp") != client_id):
        raise failed("the ID token is for somebody else")
    if "azp" in claims and claims["azp"] != client_id:
        raise failed("the ID token is for somebody else")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise failed("the ID token names nobody")
    if not _is_number(expires) or float(str(expires)) + LEEWAY_S < now:
        raise failed("the ID token is too old")
    if not _is_number(issued) or float(str(issued)) - LEEWAY_S > now:
        raise failed("the ID token is not of now; look at the clocks")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise failed("the ID token is of another login")


def login_of(claims: Mapping[str, object]) -> Login:
    """Return who it is by claims that were required before."""

    def text(name: str) -> str:
        value = claims.get(name)
        return value if isinstance(value, str) and value.isprintable() else ""

    return Login(
        subject=f"{claims['iss']} {claims['sub']}",
        email=text("email"),
        is_email_verified=claims.get("email_verified") is True,
        full_name=text("name"),
        wished_name=text("preferred_username") or text("email"),
    )


def broken(words: str) -> OutsideError:
    return OutsideError(
        f"the OpenID provider does not answer as it should: {words}",
        "Look at [openid] in hub.toml, and at the provider.",
        code="openid-provider",
        is_transient=True,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
