"""Asking a provider of logins over HTTP: each answer is JSON, and bounded in size and in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx
import msgspec

from lockgate.errors import OutsideError

LARGEST = 1_000_000

_T = TypeVar("_T")


class Answer(msgspec.Struct, frozen=True):
    """What came back: the HTTP status, and the body."""

    url: str
    status: int
    content: bytes


class ProviderHttp:
    """The way to one provider. Safe to use from threads; its calls wait for the network.

    `broken` makes the error of words about an answer that is none.
    """

    def __init__(self, broken: Callable[[str], OutsideError], timeout_s: float = 10.0) -> None:
        self._broken = broken
        self._timeout_s = timeout_s
        # A cookie set to one person's answer must not go with the next one's question
        jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.Client(timeout=timeout_s, follow_redirects=False, cookies=jar)

    def close(self) -> None:
        self._http.close()

    def get(self, url: str, form: type[_T], headers: Mapping[str, str] | None = None) -> _T:
        """Return the answer to a question. Raises what `broken` makes."""
        return self.parsed(self._ask("GET", url, headers or {}), form)

    def post(self, url: str, fields: Mapping[str, str], basic: tuple[str, str] | None = None) -> Answer:
        """Send a form; a refusal is an answer too. Raises what `broken` makes."""
        return self._ask("POST", url, {}, fields, basic)

    def parsed(self, answer: Answer, form: type[_T]) -> _T:
        """Return what a good answer says. Raises what `broken` makes."""
        if answer.status != 200:
            raise self._broken(f"it answers {answer.status} at {answer.url}")
        return self.said(answer, form)

    def said(self, answer: Answer, form: type[_T]) -> _T:
        """Return what an answer says, a refusal too. Raises what `broken` makes."""
        try:
            return msgspec.json.decode(answer.content, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._broken(f"{error} at {answer.url}") from None

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Answer:
        shown = url.partition("?")[0][:200]
        until = time.monotonic() + self._timeout_s
        # What is packed could be of any size when it is unpacked
        told = {**headers, "accept": "application/json", "accept-encoding": "identity"}
        try:
            with self._http.stream(method, url, headers=told, data=fields, auth=basic) as answer:
                if "content-encoding" in answer.headers:
                    raise self._broken(f"it answers packed at {shown}")
                content = bytearray()
                for piece in answer.iter_raw():
                    content += piece
                    if len(content) > LARGEST:
                        raise self._broken(f"it answers more than {LARGEST:,} bytes at {shown}")
                    if time.monotonic() > until:
                        raise self._broken(f"its answer takes longer than {self._timeout_s:g} s at {shown}")
                return Answer(shown, answer.status_code, bytes(content))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._broken(f"{type(error).__name__} at {shown}") from None
