"""The two cookies: the session's secret, and before there is one, what ties a form to a browser."""

from __future__ import annotations

import hashlib
import secrets

from litestar.datastructures import Cookie

from lockgate.web.settings import Settings

SESSION = "lockgate_session"
VISIT = "lockgate_visit"
_DAY_S = 86_400


def session_cookie(settings: Settings, secret: str, *, is_https: bool) -> Cookie:
    """Return the cookie of a session; an empty secret takes it away."""
    age = settings.session_days * _DAY_S if secret else 0
    return _cookie(settings, SESSION, secret, age, is_https=is_https)


def visit_cookie(settings: Settings, value: str, *, is_https: bool) -> Cookie:
    return _cookie(settings, VISIT, value, None, is_https=is_https)


def new_visit() -> str:
    return secrets.token_urlsafe(24)


def csrf_of_visit(value: str) -> str:
    """What a form of this browser brings back; the cookie cannot be told from it."""
    return hashlib.sha256(b"lockgate csrf " + value.encode("utf-8", "replace")).hexdigest()


def _cookie(settings: Settings, name: str, value: str, age_s: int | None, *, is_https: bool) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        max_age=age_s,
        path=settings.prefix or "/",
        httponly=True,
        samesite="lax",
        secure=is_https or settings.is_https,
    )
