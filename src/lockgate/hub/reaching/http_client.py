"""Asking a hub's service over HTTP: one call, its answer as a value, its refusal as our own error."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from lockgate import __version__
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.hub.reaching.credentials import credential_for

API = "/api/v1"
_TIMEOUT_S = 60.0
_PIECE_BYTES = 1 << 16
_HEADERS = {"Accept": "application/json", "User-Agent": f"lockgate/{__version__}"}
#: A connection is for one question; at the end of a stream that is refused, the answer would be lost by it.
_ENDS = {"Connection": "close"}
#: The answer to a form is short.
_FORM_BYTES = 1 << 20
_T = TypeVar("_T")


class _Fault(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Fault


class HttpClient:
    """Speaks to one hub's service.

    Parameters
    ----------
    base
        The service's address without a final slash, as `https://hub.example.org/lockgate`.
    authorization
        The header's value; None: the token kept for this hub, if any.
    """

    def __init__(self, base: str, authorization: str | None = None) -> None:
        self.base = base
        self._authorization = authorization

    def get(self, words: list[str], kind: type[_T], query: Mapping[str, str] | None = None) -> _T:
        """Return the answer to a question; `words` are the parts of the path below the API's root.

        Raises what the hub refuses with as `UserError` or `OutsideError` of the hub's own code; `UserError`:
        `login-needed`; `OutsideError`: `hub-unreachable`, `hub-answer`.
        """
        return _decoded(self._call("GET", words, query, None).read(), kind)

    def post(self, words: list[str], kind: type[_T], body: object = None) -> _T:
        """Ask for something to be done; return the answer. Raises as `get`."""
        return _decoded(self._call("POST", words, None, body).read(), kind)

    def post_bytes(self, words: list[str], kind: type[_T], content: bytes) -> _T:
        """Send bytes; return the answer. Raises as `get`."""
        return _decoded(self._call("POST", words, None, content, len(content)).read(), kind)

    def post_form(self, path: str, kind: type[_T], form: Mapping[str, str]) -> _T:
        """Send a form to a path of the service beside the API, as nobody who is logged in.

        Raises `UserError` (`login-failed`): the hub says no; `OutsideError`: `hub-unreachable`, `hub-answer`.
        """
        headers = _HEADERS | _ENDS | {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection = self._connection()
            connection.request("POST", urlsplit(self.base).path + path, urlencode(form), headers)
            answer = connection.getresponse()
            content = answer.read(_FORM_BYTES)
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if answer.status in (400, 401, 403):
            raise UserError(
                f"the hub {self.base} does not take the login", "Begin it again.", code="login-failed"
            )
        return _decoded(content, kind)

    def send(self, words: list[str], content: Iterable[bytes], size_bytes: int) -> None:
        """Send a stream of so many bytes. Raises as `get`."""
        self._call("POST", words, None, content, size_bytes).read()

    def delete(self, words: list[str]) -> None:
        """Ask for something to be removed. Raises as `get`."""
        self._call("DELETE", words, None, None).read()

    def pieces(
        self, words: list[str], query: Mapping[str, str] | None = None, *, body: object = None
    ) -> Iterator[bytes]:
        """Yield the bytes of the answer, to what is asked by a body if there is one, as they come.

        Raises as `get`.
        """
        answer = self._call("GET" if body is None else "POST", words, query, body)
        try:
            while piece := answer.read1(_PIECE_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _call(
        self,
        method: str,
        words: list[str],
        query: Mapping[str, str] | None,
        body: object,
        size_bytes: int | None = None,
    ) -> http.client.HTTPResponse:
        """`size_bytes`: the body is a stream of so many bytes, not a value."""
        path = urlsplit(self.base).path + API + "".join(f"/{quote(word, safe='')}" for word in words)
        if query:
            path += "?" + urlencode(query)
        headers = _HEADERS | (_ENDS if size_bytes is None else {})
        if size_bytes is not None:
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        elif body is not None:
            headers["Content-Type"] = "application/json"
        authorization = self._authorization or self._kept()
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            connection = self._connection()
            content: Any = body
            if size_bytes is None:
                content = msgspec.json.encode(body) if body is not None else None
            try:
                connection.request(method, path, content, headers)
            except ConnectionError:
                # A stream that was refused before all of it was read: the answer, if one came, says why
                if size_bytes is None:
                    raise
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if answer.status >= 300:
            raise self._refusal(answer)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        found = urlsplit(self.base)
        host = found.hostname or ""
        if found.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, found.port, timeout=_TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, found.port, timeout=_TIMEOUT_S)

    def _kept(self) -> str | None:
        credential = credential_for(self.base)
        return None if credential is None else f"Bearer {credential.token}"

    def _refusal(self, answer: http.client.HTTPResponse) -> LockgateError:
        try:
            fault = msgspec.json.decode(answer.read(), type=_Refusal).error
        except (msgspec.DecodeError, OSError, http.client.HTTPException):
            fault = None
        if answer.status == 401 and self._authorization is None:
            said = fault.message if fault is not None else "it does not know who asks"
            return UserError(
                f"the hub {self.base} lets nobody in without a login: {said}",
                f"Log in: lockgate login {self.base}",
                code="login-needed",
            )
        if fault is None:
            return OutsideError(
                f"{self.base} answered {answer.status} {answer.reason}, not as a Lockgate hub does",
                "Look whether the address is that of the hub's service.",
                code="hub-answer",
            )
        kind = OutsideError if answer.status >= 500 else UserError
        return kind(fault.message, fault.hint, code=fault.code)

    def _unreachable(self, error: Exception) -> OutsideError:
        return OutsideError(
            f"the hub at {self.base} cannot be reached: {_words(error)}",
            "Look at the network and the address; the hub's operator: lockgate hub serve",
            code="hub-unreachable",
            is_transient=True,
        )


def _decoded(content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise OutsideError(
            f"the hub's answer is not understood: {error}",
            "Use the same version of Lockgate here and on the hub.",
            code="hub-answer",
        ) from None


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__
