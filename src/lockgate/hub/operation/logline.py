"""What a log line of the hub's service looks like: JSON for programs, plain on a terminal, never a secret."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_HIDDEN = "***"

#: What to look for, and what is left of it. The id in a token says which it was and opens nothing.
_SECRETS = (
    (re.compile(r"\b(lgt_[A-Za-z0-9]+_)[A-Za-z0-9_-]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"\b(lgo_)[A-Za-z0-9_-]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/]+@"), rf"\1:{_HIDDEN}@"),
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-csrf-?token)\b(['\"]?\s*[:=,]\s*)[^\n]*"),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"(?i)\b(basic|bearer)(\s+)[A-Za-z0-9+/=._~-]{8,}"), rf"\1\2{_HIDDEN}"),
    (
        re.compile(
            r"(?i)\b([a-z_-]*(?:password|passwd|passphrase|secret|token)|code)(['\"]?\s*[=:]\s*['\"]?)"
            r"(?!\*\*\*)[^\s&#'\",;)]+"
        ),
        rf"\1\2{_HIDDEN}",
    ),
)  # fmt: skip

_PLAIN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


def without_secrets(text: str) -> str:
    """Return text without passwords, tokens, cookies and what stands in an Authorization header."""
    for pattern, left in _SECRETS:
        text = pattern.sub(left, text)
    return text


def one_line(text: str) -> str:
    """Return text in which nothing can begin another line or steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def facts_of(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    """Return what a record was given by `extra=`, clean."""
    return {
        name: value if isinstance(value, int | float | bool | None) else _clean(str(value))
        for name, value in vars(record).items()
        if name not in _PLAIN_FIELDS
    }


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and what the record was given besides."""

    def format(self, record: logging.LogRecord) -> str:
        about: dict[str, object] = {
            "at": _at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(record.getMessage()),
            **facts_of(record),
        }
        if record.exc_info:
            about["traceback"] = without_secrets(self.formatException(record.exc_info))
        return msgspec.json.encode(about).decode("utf-8", "replace")


class PlainLines(logging.Formatter):
    """`12:30:01 message`, and the facts where there are any; a traceback indented below."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items() if name != "action")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        text = f"{_at(record):%H:%M:%S} {level}{_clean(record.getMessage())}{'  ' if facts else ''}{facts}"
        if record.exc_info:
            trace = without_secrets(self.formatException(record.exc_info))
            text += "".join(f"\n    {one_line(line)}" for line in trace.splitlines())
        return text


def start_logging(level: int = logging.INFO, stream: TextIO | None = None) -> logging.Handler:
    """Send everything that is logged in this process to a stream (standard error); return the handler."""
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.setFormatter(PlainLines() if out.isatty() else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # It tells of each plug-in it sets up
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return handler


def _at(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _clean(text: str) -> str:
    return one_line(without_secrets(text))


def _escaped(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    number = ord(character)
    return named or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")
