"""The hub's own little file server: gives pods their jobs, takes back what they made. Tokens, no listing."""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import os
import secrets
import shutil
import socket
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from lockgate.backends.kubernetes import carrier_program
from lockgate.backends.kubernetes.manifest import Carried, runtime_folder
from lockgate.backends.kubernetes.options import split_address
from lockgate.backends.ledger import NOTE, Note
from lockgate.backends.system import Batch
from lockgate.errors import OutsideError
from lockgate.runs.jobscript import OBSERVED

_TOKEN = "carrier-token"
_GREETING = b"lockgate carrier\n"
_IDLE_S = 60.0
_CHUNK = 1 << 20
#: What a job leaves in its folder beside its workspace; `exit` comes last, as it says all is there.
_LEFT = (OBSERVED, "pid", "ending", "peak", "exit")
_MARK = "carried-to"


class Carrier:
    """Serves the files of all batches whose tokens lie in their folders, whichever process submitted them."""

    def __init__(self, address: str) -> None:
        self._host, self._port = split_address(address)
        self._server: ThreadingHTTPServer | None = None

    def serve(self) -> None:
        """Serve from now on, unless another process of this hub does.

        Raises `OutsideError` (`kubernetes-serve`) when the address cannot be had.
        """
        if self._server is not None:
            return
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._server = _Server((self._host, self._port), _Handler, family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and self._is_served():
                return
            why = error.strerror or error
            raise OutsideError(
                f"the hub cannot serve the jobs' files at {self._host}:{self._port}: {why}",
                "Choose another address for `serve` in [batch.kubernetes], one of this host.",
                code="kubernetes-serve",
                is_transient=True,
            ) from None
        threading.Thread(target=self._server.serve_forever, name="kubernetes carrier", daemon=True).start()

    def carried(self, batch: Batch, reach: str | None) -> Carried:
        """Return what the pods of a batch are told; its token is made on first asking."""
        path = Path(batch.folder, _TOKEN)
        try:
            if not path.exists():
                draft = path.with_suffix(".new")
                draft.write_text(secrets.token_urlsafe(32), "ascii")
                draft.chmod(0o600)
                draft.replace(path)
            token = path.read_text("ascii")
        except OSError as error:
            raise OutsideError(
                f"{path} could not be written: {error.strerror}",
                "Make room on that disk, or give it back; the jobs are submitted then.",
                code="job-folder",
                is_transient=True,
            ) from None
        host = f"[{self._host}]" if ":" in self._host else self._host
        base = (reach or f"http://{host}:{self._port}").rstrip("/")
        program = Path(carrier_program.__file__).read_text("utf-8")
        return Carried(f"{base}/{token}?batch={quote(batch.folder, safe='')}", program)

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _is_served(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self._host, self._port), 5) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while part := line.recv(4096):
                answer += part
            return answer.endswith(_GREETING)
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], family: socket.AddressFamily
    ) -> None:
        self.address_family = family
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A pod that hangs up is no news: it comes again."""


class _Asked(msgspec.Struct, frozen=True):
    what: str
    folder: str
    """The job's."""
    batch: str
    at: int
    pod: str


class _Handler(BaseHTTPRequestHandler):
    timeout = _IDLE_S
    server_version = "lockgate"
    sys_version = ""

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/":
            self._answer(200, _GREETING)
            return
        asked = self._asked()
        if asked is None:
            return
        if asked.what == "job":
            self._stream(lambda tar: _add_job(tar, asked))
        elif asked.what == "runtime":
            venv = runtime_folder(Path(asked.folder, "job.sh").read_text("utf-8", "surrogateescape"))
            if venv is None:
                self._answer(404, b"this job has no runtime\n")
            else:
                self._stream(lambda tar: tar.add(os.path.dirname(venv), "."), venv)  # noqa: PTH120
        else:
            self._answer(404, b"")

    def do_PUT(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        if asked.what == "claim":
            self._answer(*_claim(asked))
            return
        if _holder(asked) != asked.pod:
            self._answer(409, b"another pod has this job\n")
        elif asked.what == "log":
            with self._body() as body:
                _keep_log(asked, body)
            self._answer(204, b"")
        elif asked.what == "results":
            with self._body() as body:
                problem = _take_back(asked, body)
            self._answer(204, b"") if problem is None else self._answer(422, problem.encode())
        else:
            self._answer(404, b"")

    def log_message(self, format: str, *args: object) -> None:
        """Tokens are in the addresses: nothing is logged."""

    def _asked(self) -> _Asked | None:
        """Return what is asked for, once the token is found to be that of the batch."""
        url = urlsplit(self.path)
        words = url.path.rstrip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        batch, number = query.get("batch", ""), query.get("member", "")
        try:
            token = Path(batch, _TOKEN).read_text("ascii")
            if not batch or not hmac.compare_digest(token.encode(), words[-1].encode()):
                raise ValueError
            note = msgspec.json.decode(Path(batch, NOTE).read_bytes(), type=Note)
            folder = note.jobs[int(number)].folder
            return _Asked(query["what"], folder, batch, int(query.get("at", "0")), query.get("pod", ""))
        except (OSError, ValueError, KeyError, IndexError, msgspec.DecodeError):
            self._answer(404, b"no such job\n")
            return None

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, add: Callable[[tarfile.TarFile], None], name: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-tar")
        if name is not None:
            self.send_header("X-Path", quote(name))
        self.send_header("Connection", "close")
        self.end_headers()
        with tarfile.open(fileobj=self.wfile, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            add(tar)

    @contextlib.contextmanager
    def _body(self) -> Iterator[IO[bytes]]:
        """Yield all that a pod sent, once it is all here."""
        left = int(self.headers.get("Content-Length", "0"))
        with tempfile.TemporaryFile() as file:
            while left > 0:
                part = self.rfile.read(min(left, _CHUNK))
                if not part:
                    raise ConnectionError("the pod hung up")
                file.write(part)
                left -= len(part)
            file.seek(0)
            yield file


def _add_job(tar: tarfile.TarFile, asked: _Asked) -> None:
    own = {*_LEFT, "output.log", "batch", _MARK, "exit.json"}
    tar.add(f"{asked.batch}/wrapper.sh", "wrapper.sh")
    for name in sorted(os.listdir(asked.folder)):  # noqa: PTH208
        if name not in own:
            tar.add(f"{asked.folder}/{name}", f"job/{name}")


def _holder(asked: _Asked) -> str | None:
    try:
        return Path(asked.folder, _MARK).read_text("utf-8")
    except OSError:
        return None


def _claim(asked: _Asked) -> tuple[int, bytes]:
    """Give a job to the first pod that asks; a second one must not run it."""
    path = Path(asked.folder, _MARK)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(asked.pod)
    except FileExistsError:
        if _holder(asked) != asked.pod:
            return 409, b"another pod has this job\n"
    return 200, json.dumps({"folder": asked.folder}).encode()


def _keep_log(asked: _Asked, body: IO[bytes]) -> None:
    with open(f"{asked.folder}/output.log", "ab") as log:  # noqa: PTH123
        log.truncate(asked.at)
        log.seek(asked.at)
        shutil.copyfileobj(body, log)


def _take_back(asked: _Asked, body: IO[bytes]) -> str | None:
    """Unpack what a job left: into its workspace, and its records beside it; nowhere else. Return in words
    what of it cannot be taken.

    The workspace's files are replaced, never written into. A pod is not trusted: a link or `..` that leads
    out of the workspace is not taken, nor what comes behind it.
    """
    try:
        _unpack(os.path.realpath(asked.folder), body)
    except (tarfile.TarError, ValueError) as error:
        return str(error)
    return None


def _unpack(root: str, body: IO[bytes]) -> None:
    with tarfile.open(fileobj=body, mode="r:") as tar:
        for member in tar:
            inner = tarfile.data_filter(member, root)
            if inner.name not in _LEFT and not inner.name.startswith(("workspace/", f"{OBSERVED}/")):
                raise ValueError(f"{inner.name!r} is no part of a job")
            target = os.path.join(root, inner.name)  # noqa: PTH118
            if os.path.lexists(target) and not (inner.isdir() and os.path.isdir(target)):  # noqa: PTH112
                _remove(target)
            tar.extract(inner, root, filter="data")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108
