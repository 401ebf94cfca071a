"""A line of the service's log: no secret in it, and no way to make two of one."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.operation.logline import JsonLines, PlainLines, one_line, start_logging, without_secrets


def record(message: str, **facts: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "lockgate.web", "levelno": 20, "levelname": "INFO", "msg": message})
    vars(made).update(facts)
    return made


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token lgt_ab12_s3cr3t-_x used", "token lgt_ab12_*** used"),
        ("postgresql://ada:s3cr3t@db/lockgate", "postgresql://ada:***@db/lockgate"),
        ("https://ada:p@s3cr3t@hub/x", "https://ada:***@hub/x"),
        ("Authorization: Basic YWRhOnMzY3IzdA==", "Authorization: ***"),
        ("(b'authorization', b'Bearer s3cr3t')", "(b'authorization', ***"),
        ("Cookie: session=s3cr3t; theme=dark", "Cookie: ***"),
        ("sent Bearer abcdefgh12345", "sent Bearer ***"),
        ("/callback?code=s3cr3t&state=1", "/callback?code=***&state=1"),
        ('{"password": "s3cr3t"}', '{"password": "***"}'),
        ("client_secret=s3cr3t", "client_secret=***"),
    ],
)
def test_secrets_are_left_out(text: str, left: str) -> None:
    assert without_secrets(text) == left


def test_what_is_no_secret_stays() -> None:
    for text in (
        "push of main by ada",
        "http://127.0.0.1:8321/",
        "exit code 7",
        "/p/flights/runs?sort=-accuracy",
    ):
        assert without_secrets(text) == text


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1


@given(st.text(), st.text())
def test_json_is_one_object_a_line_whatever_was_logged(message: str, member: str) -> None:
    text = JsonLines().format(record("%s", args=(message,), member=member))
    assert len(text.splitlines()) == 1
    assert json.loads(text).keys() >= {"at", "level", "logger", "message", "member"}


def test_facts_are_told_as_they_are() -> None:
    found = json.loads(JsonLines().format(record("x", action="request", ms=1.5, bytes=3, member=None)))
    assert (found["action"], found["ms"], found["bytes"], found["member"]) == ("request", 1.5, 3, None)


def test_a_forged_line_stays_inside_its_own() -> None:
    text = PlainLines().format(record("GET /x\n12:00:00 all is well\x1b[2J", member="ada\r\nroot"))
    assert "\n" not in text
    assert "\\n12:00:00 all is well\\x1b[2J" in text
    assert "member=ada\\r\\nroot" in text


def test_a_traceback_is_kept_without_its_secrets() -> None:
    try:
        raise ValueError("postgresql://ada:s3cr3t@db")
    except ValueError:
        made = record("it failed", exc_info=sys.exc_info())
    for text in (JsonLines().format(made), PlainLines().format(made)):
        assert "s3cr3t" not in text
        assert "ValueError" in text


def test_to_a_file_json_is_written() -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    stream = io.StringIO()
    try:
        start_logging(stream=stream)
        logging.getLogger("lockgate.test").info("hello", extra={"action": "greet"})
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)
    assert json.loads(stream.getvalue())["action"] == "greet"
