"""A program that asks the hub who somebody is, as its operator registered it: a value."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from lockgate.hub.members.values import Scope

#: What may be asked for: who it is, and to act for them.
SCOPES = ("openid", "profile", "email", "groups", "lockgate:read", "lockgate:write")
#: In a redirect URI, the name of the member who is logged in.
MEMBER = "{member}"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One table `[oauth.NAME]` of `hub.toml`."""

    id: str
    label: str
    """As people are asked about it."""
    secret: str | None
    """The sha256 of its secret, in hex; None: a public client, which has none (RFC 6749, section 2.1)."""
    redirect_uris: tuple[str, ...]
    """Where people are sent back to. `{member}` is the member's own name: a server of theirs."""
    scopes: tuple[str, ...]
    is_trusted: bool = False
    """Whether people are not asked."""
    token_s: float = 12 * 3600.0
    """How long its tokens are good, in seconds."""

    def leads_to(self, uri: str, member: str | None) -> bool:
        """Return whether this member may be sent there: the very same text (RFC 9700, section 4.1.3).

        Nobody (None) may be sent where a name belongs.
        """
        filled = (each.replace(MEMBER, member) if member else each for each in self.redirect_uris)
        return any(MEMBER not in each and each == uri for each in filled)

    @property
    def is_by_member(self) -> bool:
        """Whether it has places that are one member's own."""
        return any(MEMBER in uri for uri in self.redirect_uris)

    def has_secret(self, secret: str) -> bool:
        """Return whether this is its secret."""
        return self.secret is not None and hmac.compare_digest(self.secret, secret_digest(secret))


def secret_digest(secret: str) -> str:
    """A digest without salt or cost is enough for what has 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def acting_scope(scopes: tuple[str, ...]) -> Scope | None:
    """Return what a token of these scopes lets its bearer do here; None: only ask who it is."""
    if "lockgate:write" in scopes:
        return "write"
    return "read" if "lockgate:read" in scopes else None
