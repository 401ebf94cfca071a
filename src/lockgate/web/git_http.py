"""Git over HTTP: the smart protocol, spoken by git's own programs, streamed both ways.

What comes in goes into the program as it comes, and what it says goes out as it says it: nothing is held.
A push is handed to `git receive-pack` as `git http-backend` hands it on (git's gitprotocol-http(5)), which
spares two programs of three a request; a fetch, and what is out of the ordinary, goes to `git http-backend`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import signal
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs

import msgspec
from litestar.types import HTTPScope, Receive, Send

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub import hook_line
from lockgate.hub.members.acting import environment_of
from lockgate.hub.members.rules import Action
from lockgate.hub.members.values import Actor
from lockgate.web.authentication import identify
from lockgate.web.errors import status_of
from lockgate.web.program import Program, start
from lockgate.web.service import Service

_PATH = re.compile(
    r"/git/(?P<project>[A-Za-z0-9][A-Za-z0-9._-]{0,99})\.git/"
    r"(?P<what>info/refs|git-upload-pack|git-receive-pack)"
)
_SERVICES: dict[str, Action] = {"git-upload-pack": "read", "git-receive-pack": "push"}
_PIECE_BYTES = 1 << 16
_PUSH = "application/x-git-receive-pack"
#: A client that sends nothing of a request it has begun is given up after so long.
_IDLE_S = 300.0
_GRACE_S = 5.0
_SECRETS = ("LOCKGATE_DATABASE_URL", "OTEL_")

_log = logging.getLogger(__name__)


async def serve_git(service: Service, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Answer one request below `/git/`."""
    try:
        project, name = _asked(scope)
        actor = await identify(service, scope)
        scope.setdefault("state", {})["actor"] = actor
        await asyncio.to_thread(service.require, actor, _SERVICES[name], project)
    except LockgateError as error:
        await _refuse(send, error)
        return
    try:
        await _Call(service, scope, actor, receive, send).run(project)
    except OSError as error:
        _log.error("git http-backend could not be started: %s", error.strerror)
        await _refuse(send, OutsideError("git does not start here", "", code="git-missing"))


def _asked(scope: HTTPScope) -> tuple[str, str]:
    """Return the project and git's name of the service. Raises `UserError`."""
    found = _PATH.fullmatch(scope["path"])
    if found is None or ".." in scope["path"]:
        raise UserError(
            "there is no repository here", "Its address ends in /git/PROJECT.git", code="project-unknown"
        )
    what, method = found["what"], scope["method"]
    if what == "info/refs":
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("service", [""])[0]
        if method not in ("GET", "HEAD") or asked not in _SERVICES:
            raise UserError(
                "git's old, dumb protocol is not spoken here", "Use git 1.6.6 or newer.", code="git-dumb"
            )
        return found["project"], asked
    if method != "POST":
        raise UserError("this is for git", "git clone, fetch and push use it.", code="git-dumb")
    return found["project"], what


async def _refuse(send: Send, error: LockgateError) -> None:
    """Git shows a refusal to its user when it is plain text."""
    status = status_of(error)
    body = f"{error.message}\n{error.hint} [{error.code}]\n".encode("utf-8", "replace")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Lockgate", charset="UTF-8"'))
    if error.code == "too-many-attempts":
        headers.append((b"retry-after", b"10"))
    await _start(send, status, headers)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    given = [*headers, (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": status, "headers": given})


class _Spoken(msgspec.Struct, frozen=True):
    """What git is called with, and what of the answer is not its own."""

    words: tuple[str, ...]
    kind: bytes = b""
    """The answer's content type; empty: it begins with a head as CGI has it, see RFC 3875."""
    before: bytes = b""


def _spoken(method: str, path: str, query: bytes, headers: Mapping[bytes, str]) -> _Spoken:
    """Decide how a request is answered; what is no plain push is `git http-backend`'s to judge."""
    if method == "GET" and path.endswith("/info/refs") and query == b"service=git-receive-pack":
        words = ("receive-pack", "--http-backend-info-refs", ".")
        return _Spoken(words, f"{_PUSH}-advertisement".encode(), b"001f# service=git-receive-pack\n0000")
    is_plain = headers.get(b"content-type") == f"{_PUSH}-request" and b"content-encoding" not in headers
    if method == "POST" and path.endswith("/git-receive-pack") and is_plain:
        return _Spoken(("receive-pack", "--stateless-rpc", "."), f"{_PUSH}-result".encode())
    return _Spoken(("http-backend",))


class _Call:
    """One call of a program of git's."""

    def __init__(
        self, service: Service, scope: HTTPScope, actor: Actor | None, receive: Receive, send: Send
    ) -> None:
        self._service = service
        self._scope = scope
        self._actor = actor
        self._receive = receive
        self._send = send
        self._headers = {name: value.decode("latin-1") for name, value in scope["headers"]}

    async def run(self, project: str) -> None:
        """Answer as git does. Raises `OSError` where it does not start."""
        asked = _spoken(
            self._scope["method"], self._scope["path"], self._scope["query_string"], self._headers
        )
        words = ("git", "-C", str(self._service.hub.repository(project)), *asked.words)
        is_push = self._scope["method"] == "POST" and self._scope["path"].endswith("/git-receive-pack")
        with hook_line.lent(self._service.hub.root) if is_push else contextlib.nullcontext() as line:
            environment, passed = self._environment(), None
            if line is not None:
                environment[hook_line.VARIABLE] = "1"
                passed = line.fileno(), hook_line.DESCRIPTOR
            await self._run(start(words, environment, _PIECE_BYTES, passed), project, asked)

    async def _run(self, program: Program, project: str, asked: _Spoken) -> None:
        feeding = asyncio.create_task(self._feed(program))
        grumbling = asyncio.create_task(_last_words(program))
        try:
            await self._answer(program, asked)
        finally:
            feeding.cancel()
            await _end(program)
            with contextlib.suppress(asyncio.CancelledError):
                await feeding
            said = await grumbling
            program.close()
            if said:
                _log.info("git %s for %s: %s", asked.words[0], project, said)

    def _environment(self) -> dict[str, str]:
        headers = self._headers
        settings = {
            "http.receivepack": "true", "http.uploadpack": "true", "http.getanyfile": "false",
            # So much of packs is mapped at most, else a process that reads gigabytes looks as if it held them
            "core.packedGitWindowSize": "32m", "core.packedGitLimit": "256m",
        }  # fmt: skip
        if b"content-length" not in headers:
            # Git sends more than `http.postBuffer`, a megabyte, in chunks: that stays the pack it comes as,
            # which spares compressing it again, here and for each clone
            settings["receive.unpackLimit"] = "1"
        limit = self._service.settings.push_limit_bytes
        if limit:
            settings["receive.maxInputSize"] = str(limit)
        environment = {
            name: value for name, value in clean_environment().items() if not name.startswith(_SECRETS)
        }
        environment |= {
            "GIT_PROJECT_ROOT": str(self._service.hub.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_HTTP_MAX_REQUEST_BUFFER": "10485760",
            "PATH_INFO": self._scope["path"].removeprefix("/git"),
            "QUERY_STRING": self._scope["query_string"].decode("latin-1"),
            "REQUEST_METHOD": self._scope["method"],
            "CONTENT_TYPE": headers.get(b"content-type", ""),
            "CONTENT_LENGTH": headers.get(b"content-length", ""),
            "HTTP_CONTENT_ENCODING": headers.get(b"content-encoding", ""),
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        if re.fullmatch(r"[\w=:.-]{1,200}", headers.get(b"git-protocol", "")):
            environment["GIT_PROTOCOL"] = headers[b"git-protocol"]
        name = "anonymous" if self._actor is None or self._actor.is_owner else self._actor.name
        environment |= {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": f"{name}@http"}
        if self._actor is not None and not self._actor.is_owner:
            environment |= {"REMOTE_USER": self._actor.name, **environment_of(self._actor)}
        return environment

    async def _feed(self, program: Program) -> None:
        """Hand the request's body on; then wait for the client's going, which ends the program."""
        has_more = True
        while True:
            try:
                message = await asyncio.wait_for(self._receive(), _IDLE_S if has_more else None)
            except TimeoutError:
                break
            if message["type"] != "http.request":
                break
            with contextlib.suppress(ConnectionError):  # it has ended: what it said tells why
                await program.stdin.write(message["body"])
            if has_more and not message["more_body"]:
                has_more = False
                program.stdin.close()
        program.send(signal.SIGTERM)

    async def _answer(self, program: Program, asked: _Spoken) -> None:
        status, headers = 200, [(b"content-type", asked.kind)]
        try:
            if not asked.kind:
                status, headers = _cgi_head(await program.stdout.readuntil(b"\r\n\r\n"))
            # nginx stops to read a push's body once its answer begins; so that does not begin before git has
            # something to say, which is when it has read all
            piece = await program.stdout.read(_PIECE_BYTES)
            # It answers nothing to a request that asks nothing, with which git tries the way first
            if asked.kind and not piece and not await program.is_well():
                raise asyncio.IncompleteReadError(piece, None)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _refuse(
                self._send, OutsideError("git ended without an answer", "Try again.", code="git-failed")
            )
            return
        await _start(self._send, status, headers)
        piece = asked.before + piece
        while piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await program.stdout.read(_PIECE_BYTES)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _cgi_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    status, headers = 200, []
    for name, value in _cgi_headers(head):
        if name == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name, value))
    return status, headers


def _cgi_headers(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            yield name.strip().lower(), value.strip()


async def _last_words(program: Program) -> str:
    """Read all that the program complains of, and return the end of it."""
    kept = b""
    while piece := await program.stderr.read(_PIECE_BYTES):
        kept = (kept + piece)[-500:]
    return kept.decode("utf-8", "replace").strip()


async def _end(program: Program) -> None:
    """See the program gone, and all it started too, where it does not end by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if await program.is_over(_GRACE_S):
            return
        program.send(number)
    await program.is_over(math.inf)
