"""Who asks through a proxy: what `X-Forwarded-For` and `X-Forwarded-Proto` say that can be believed.

A proxy adds the address it was asked from to the end of the list, or writes the list anew; what stands before
came with the request, and can be anybody's invention
(https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

#: As RFC 7239 (section 6.2) calls it: nobody's address, above all not this machine's.
UNKNOWN = "unknown"


def forwarded(app: ASGIApp) -> ASGIApp:
    """Return an application that is told who asked the proxy, in place of the proxy."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            client = client_of(_values(scope, b"x-forwarded-for"))
            if client is not None:
                scope["client"] = (client, 0)
            schemes = _values(scope, b"x-forwarded-proto")
            if schemes and schemes[0] in ("http", "https"):
                scope["scheme"] = schemes[0]
        await app(scope, receive, send)

    return told


def client_of(said: Sequence[str]) -> str | None:
    """Return the address a list tells of, `UNKNOWN` where a proxy wrote none there; None: the list is empty.

    It is the last one. Addresses of this machine at the end are those of proxies that stand before one
    another here, unless there is nothing else.
    """
    found = None
    for each in reversed(said):
        address = _address(each)
        if address is None:
            return UNKNOWN
        found = str(address)
        if not address.is_loopback:
            break
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # As Node.js tells an address where it listens to both kinds
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _values(scope: Scope, name: bytes) -> list[str]:
    joined = b",".join(value for key, value in scope["headers"] if key == name).decode("latin-1")
    return [each for value in joined.split(",") if (each := value.strip())]
