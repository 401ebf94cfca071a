"""Who asks through a proxy, however much a client makes up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.web.forwarded import UNKNOWN, client_of, forwarded


@pytest.mark.parametrize(
    ("said", "client"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["127.0.0.1", "192.0.2.1"], "192.0.2.1"),
        (["198.51.100.7", "192.0.2.1", "127.0.0.1"], "192.0.2.1"),
        (["192.0.2.1", "::ffff:127.0.0.1"], "192.0.2.1"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:4711"], "192.0.2.1"),
        (["[2001:db8::1]:80"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["127.0.0.1", "::1"], "127.0.0.1"),
        (["192.0.2.1", "_hidden"], UNKNOWN),
        (["192.0.2.1", "unknown", "127.0.0.1"], UNKNOWN),
        (["[", "]"], UNKNOWN),
        ([], None),
    ],
)
def test_the_last_that_is_no_proxy_here_is_believed(said: list[str], client: str | None) -> None:
    assert client_of(said) == client


@given(st.lists(st.text()))
def test_what_a_client_makes_up_changes_nothing(made_up: list[str]) -> None:
    assert client_of([*made_up, "192.0.2.1"]) == "192.0.2.1"
    assert client_of([*made_up, "192.0.2.1", "127.0.0.1"]) == "192.0.2.1"


def seen(*headers: tuple[bytes, bytes]) -> tuple[str, str]:
    """Return the address and the scheme that the application is told of."""
    scope: Any = {"type": "http", "client": ("127.0.0.1", 1), "scheme": "http", "headers": [*headers]}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    asyncio.run(forwarded(app)(scope, None, None))  # type: ignore[arg-type]
    return scope["client"][0], scope["scheme"]


def test_the_application_is_told_who_asked_the_proxy() -> None:
    assert seen() == ("127.0.0.1", "http")
    forged = (b"x-forwarded-for", b"127.0.0.1")
    assert seen(forged, (b"x-forwarded-for", b"192.0.2.1, ::1")) == ("192.0.2.1", "http")
    assert seen((b"x-forwarded-proto", b"https,http")) == ("127.0.0.1", "https")
    assert seen((b"x-forwarded-proto", b"javascript")) == ("127.0.0.1", "http")
    assert seen((b"x-forwarded-for", b"\xff, ,")) == (UNKNOWN, "http")
    assert seen((b"x-forwarded-for", b" , ")) == ("127.0.0.1", "http")
