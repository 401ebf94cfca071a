"""The headers that every answer bears."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

#: What our own pages may do: nothing inline, nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
#: What a member's own file may do: be looked at.
SANDBOX = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
#: For a page on which one click gives something away: no other page, ours neither, shows it in a frame.
UNFRAMED = {
    "content-security-policy": PAGE_POLICY.replace("frame-ancestors 'self'", "frame-ancestors 'none'"),
    "x-frame-options": "DENY",
}

_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


async def add_headers(message: Message, scope: Scope) -> None:
    """Add what an answer lacks of the above; one that set its own policy keeps it."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope["app"].state.service.settings.is_https:
        headers.setdefault("strict-transport-security", "max-age=31536000")
    if "/static/" not in scope["path"]:
        headers.setdefault("cache-control", "no-store")
