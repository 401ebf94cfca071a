"""Telling a failure over HTTP: in one form to programs, as a page to browsers."""

from __future__ import annotations

import logging
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.web.crossing import own_path
from lockgate.web.render import render

_STATUS = {
    "not-allowed": 403,
    "no-members": 409,
    "parameter-unknown": 400,
    "hub-open": 403,
    "member-inactive": 403,
    "not-logged-in": 401,
    "login-failed": 401,
    "too-many-attempts": 429,
    "too-many-watchers": 503,
    "cross-site": 403,
    "too-large": 413,
    "run-exists": 409,
    "ref-conflict": 409,
    "artifact-gone": 410,
}
_CODES = {
    400: "request-invalid",
    401: "not-logged-in",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "request-invalid",
    429: "too-many-attempts",
}

_log = logging.getLogger(__name__)


def status_of(error: LockgateError) -> int:
    """Return the HTTP status that tells this failure."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, UserError):
        return 404 if error.code.endswith("-unknown") else 400
    if isinstance(error, OutsideError):
        return 503 if error.is_transient else 502
    return 500


def answer(
    request: Request[None, None, State],
    status: int,
    message: str,
    hint: str,
    code: str,
    headers: dict[str, str] | None = None,
) -> Response[bytes] | Response[dict[str, dict[str, str]]]:
    """Return the failure as a page to a browser, as JSON to anything else."""
    if wants_page(request):
        return render(
            request,
            "error.html",
            status=status,
            headers=headers,
            message=message,
            hint=hint,
            code=code,
            came_from=_came_from(request),
        )
    body = {"error": {"code": code, "message": message, "hint": hint}}
    return Response(body, status_code=status, headers=headers or {}, media_type="application/json")


def _came_from(request: Request[None, None, State]) -> str:
    """Return the page of ours that led here, to go back to; "" where it is not known."""
    came = urlsplit(request.headers.get("referer", ""))
    service = request.app.state.service
    is_ours = came.netloc in (request.headers.get("host", ""), urlsplit(service.settings.public_url).netloc)
    path = own_path(f"{came.path}?{came.query}" if came.query else came.path)
    return path if came.netloc and is_ours and path not in ("/", request.url.path) else ""


def wants_page(request: Request[None, None, State]) -> bool:
    """Whether a browser asks for a page: the API's paths never answer with one."""
    service = request.app.state.service
    if request.url.path.removeprefix(service.settings.prefix).startswith("/api/"):
        return False
    return "text/html" in request.headers.get("accept", "")


def _foreseen(request: Request[None, None, State], error: LockgateError) -> Response[object]:
    if error.code == "not-logged-in" and wants_page(request) and request.method == "GET":
        return to_login(request)
    return answer(request, status_of(error), error.message, error.hint, error.code)  # type: ignore[return-value]


def to_login(request: Request[None, None, State], asked: str = "") -> Response[object]:
    """Send somebody to the login, and from there to what they asked for, or to the path given."""
    service = request.app.state.service
    if not asked:
        path = request.url.path.removeprefix(service.settings.prefix) or "/"
        asked = f"{path}?{request.url.query}" if request.url.query else path
    address = service.url(f"/login?next={quote(asked, safe='')}")
    if "hx-request" in request.headers:
        return Response(None, status_code=401, headers={"hx-redirect": service.url("/login")})
    return Redirect(address, status_code=303)


def _http(request: Request[None, None, State], error: HTTPException) -> Response[object]:
    status = error.status_code
    if status >= 500:
        return _unforeseen(request, error)
    code = _CODES.get(status, "request-invalid")
    headers = dict(error.headers or {})
    return answer(request, status, _words(error), "See docs/reference/api.md", code, headers)  # type: ignore[return-value]


def _words(error: HTTPException) -> str:
    extra = error.extra
    if isinstance(extra, list):
        told = [
            f"{each.get('key', '')}: {each.get('message', '')}" for each in extra if isinstance(each, dict)
        ]
        if told:
            return "; ".join(told)
    return error.detail


def _nested(request: Request[None, None, State], error: RecursionError) -> Response[object]:
    """A body of brackets in brackets ends in this."""
    if request.method not in ("POST", "PUT", "PATCH"):
        return _unforeseen(request, error)
    return answer(  # type: ignore[return-value]
        request, 400, "the request is nested too deeply", "See docs/reference/api.md", "request-invalid"
    )


def _unforeseen(request: Request[None, None, State], error: Exception) -> Response[object]:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(  # type: ignore[return-value]
        request, 500, "the service failed", "The hub's owner finds the cause in its log.", "internal-error"
    )


HANDLERS: ExceptionHandlersMap = {
    LockgateError: _foreseen,
    HTTPException: _http,
    RecursionError: _nested,
    Exception: _unforeseen,
}
