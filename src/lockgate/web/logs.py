"""The service's log: a line a request, and each line of a request under its id."""

from __future__ import annotations

import logging
import re
import secrets
from contextvars import ContextVar

from lockgate.hub.operation.logline import start_logging

_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

log = logging.getLogger("lockgate.web")


def start() -> None:
    """Log to standard error: JSON lines, plain on a terminal; only what uvicorn finds worth a warning."""
    start_logging().addFilter(_under_its_request)
    for noisy in ("uvicorn.error", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def begin_request(given: bytes | None) -> str:
    """Return the id of the request that begins here: the one a proxy gave it, or a new one."""
    made = given.decode() if given is not None and _ID.fullmatch(given) else secrets.token_hex(8)
    _REQUEST.set(made)
    return made


def _under_its_request(record: logging.LogRecord) -> bool:
    request = _REQUEST.get()
    if request is not None and not hasattr(record, "request"):
        record.request = request
    return True
