"""Whether a request that changes something comes from our own page, or from a program that says who asks."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from lockgate.errors import UserError

HEADER = "x-csrf-token"
FIELD = "csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(origin: str, fetch_site: str, host: str, public_url: str) -> None:
    """Refuse what a browser says another site's page asked for. Raises `UserError` (`cross-site`).

    Programs send neither header; every browser sends `Origin` with what changes something (Fetch standard,
    section 3.2).
    """
    if fetch_site not in ("", "same-origin", "none"):
        raise refusal()
    if origin:
        asked = urlsplit(origin).netloc
        if not asked or asked not in (host, urlsplit(public_url).netloc):
            raise refusal()


def check_token(given: str, wanted: str) -> None:
    """Refuse a form that does not bring back what its page was given. Raises `UserError` (`cross-site`)."""
    if not wanted or not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
        raise refusal()


def own_path(text: str) -> str:
    """Return where to go after a login: a path of ours, or home; never another site's."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and len(text) < 2000
    return text if is_own and text.isprintable() and "\\" not in text else "/"


def refusal() -> UserError:
    return UserError(
        "this was not sent from a page of the hub, or the page is too old",
        "Load the page again and repeat what you did.",
        code="cross-site",
    )
