"""The process that keeps a hub's service up: it holds the socket, and starts and changes the workers on it.

A worker is started with `--fd N` (the listening socket) and `--control-fd M`. On the latter it says `ready`,
and the path or address it serves under, once it answers; when it reads the end of it, its supervisor is gone
and it drains and ends. SIGTERM tells it to drain: what is under way is finished, streams are closed, nothing
new is taken.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.members.book import open_book
from lockgate.hub.operation.listening import is_loopback, listen, url_of
from lockgate.hub.operation.notification import notify
from lockgate.hub.operation.workerprocess import Worker
from lockgate.hub.queue import ensure_dispatcher

log = logging.getLogger("lockgate.supervisor")

WORKER = (sys.executable, "-I", "-m", "lockgate.web.worker")
#: A worker that lasted so long before it died is started anew at once, not after the next longer pause.
SOUND_S = 60.0
PAUSE_S, PAUSE_AT_MOST_S = 0.5, 30.0
#: A worker that does not begin to answer (it may be changing a large database) is told of this often.
TELL_S = 30.0
DRAIN_S = 600.0
#: Variables that are about this process, and would mislead what comes after it.
_OURS = frozenset(
    {
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LOCKGATE_MEMBER",
        "LOCKGATE_SCOPE",
        "LOCKGATE_PROJECTS",
    }
)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `lockgate hub serve` was asked for; None: as `hub.toml` says."""

    host: str = "127.0.0.1"
    port: int = 8321
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    prefix: str | None = None
    database: str | None = None
    drain_s: float = DRAIN_S


def serve(hub: Hub, options: ServeOptions, command: Sequence[str] = WORKER) -> int:
    """Serve until told to end; return the exit code.

    Raises `UserError` (`service-not-installed`, `served-already`, `hub-open`, `tls-incomplete`,
    `tls-missing`, `host-unknown`, `sockets-many`) and `OutsideError` (`port-taken`, `port-unavailable`).
    """
    _check_installed()
    _check_tls(options)
    with _only_one(hub), listen(options.host, options.port) as listening:
        if open_book(hub).is_open and not is_loopback(listening):
            raise UserError(
                f"the hub {hub.root} has no members: whoever reached {options.host} could do anything on it",
                f"Add the first: lockgate hub member add NAME --operator --hub {hub.root}\n"
                "  Or serve this machine alone: --host 127.0.0.1",
                code="hub-open",
            )
        return Supervisor(hub, options, listening, command).run()


class Supervisor:
    """The loop over signals, workers that are ready, workers that died, and time that passed."""

    def __init__(
        self, hub: Hub, options: ServeOptions, listening: socket.socket, command: Sequence[str]
    ) -> None:
        self._hub, self._options, self._listening = hub, options, listening
        self._command = [*command, *_arguments(hub, options)]
        self._environment = {name: value for name, value in os.environ.items() if name not in _OURS}
        if options.database is not None:
            # Not as an argument, for it may hold a password and anybody sees those
            self._environment["LOCKGATE_DATABASE_URL"] = options.database
        self._current: Worker | None = None
        self._starting: Worker | None = None
        self._draining: list[Worker] = []
        self._failures = 0
        self._start_at: float | None = None
        self._tell_at = 0.0
        self._is_restart_wanted = self._is_ending = self._is_hurried = False
        self._has_served = False
        self._code = 0

    def run(self) -> int:
        with _signals() as signals:
            try:
                self._start()
                _take_up_work(self._hub)
                while self._is_alive():
                    self._wait(signals)
                    self._look_after_draining()
                    self._look_after_starting()
                    self._look_after_current()
                    self._start_if_due()
                    self._reap_strangers()
            finally:
                for worker in self._workers():
                    worker.kill()
        log.info("ended", extra={"action": "service.ended"})
        return self._code

    def _is_alive(self) -> bool:
        return bool(self._workers()) or (self._start_at is not None and not self._is_ending)

    def _workers(self) -> list[Worker]:
        return [w for w in (self._current, self._starting, *self._draining) if w is not None]

    def _start(self) -> None:
        self._start_at = None
        self._starting = Worker(self._command, self._listening, self._environment)
        self._tell_at = time.monotonic() + TELL_S

    def _wait(self, signals: int) -> None:
        now = time.monotonic()
        times = [w.deadline for w in self._draining if w.deadline is not None]
        if self._start_at is not None:
            times.append(self._start_at)
        if self._starting is not None:
            times.append(self._tell_at)
        timeout = max(0.0, min(times) - now) if times else None
        watched: list[int | Worker] = [signals]
        if self._starting is not None:
            watched.append(self._starting)
        readable, _, _ = select.select(watched, [], [], timeout)
        if signals in readable:
            for number in os.read(signals, 256):
                self._take(signal.Signals(number))

    def _take(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            self._restart()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._end()

    def _restart(self) -> None:
        if self._is_ending:
            return
        notify(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        log.info("restarting: a new worker starts beside the old one", extra={"action": "service.restart"})
        if self._starting is not None:
            self._is_restart_wanted = True  # it may have read what was there before
        else:
            self._start()

    def _end(self) -> None:
        if self._is_ending:
            self._is_hurried = True
            return
        self._is_ending = True
        notify(STOPPING=1)
        log.info("ending: what is under way is finished first", extra={"action": "service.ending"})
        for worker in (self._current, self._starting):
            if worker is not None:
                worker.drain(self._options.drain_s)
                self._draining.append(worker)
        self._current = self._starting = None

    def _look_after_draining(self) -> None:
        now = time.monotonic()
        for worker in list(self._draining):
            if worker.ended() is None:
                if not self._is_hurried and (worker.deadline is None or worker.deadline > now):
                    continue
                log.warning(
                    "worker %d is killed: what it had under way is cut off", worker.pid,
                    extra={"action": "worker.killed"},
                )  # fmt: skip
                worker.kill()
            worker.close()
            self._draining.remove(worker)

    def _look_after_starting(self) -> None:
        worker = self._starting
        if worker is None:
            return
        where = worker.ready()
        if where is not None:
            self._starting = None
            self._exchange(worker, where)
        elif (code := worker.ended()) is not None:
            worker.close()
            self._starting = None
            self._tell_of_failed_start(code)
        elif time.monotonic() >= self._tell_at:
            self._tell_at += TELL_S
            notify(EXTEND_TIMEOUT_USEC=int(4 * TELL_S * 1e6), STATUS="a worker is starting")
            log.info("worker %d is still starting", worker.pid, extra={"action": "worker.starting"})

    def _exchange(self, worker: Worker, where: str) -> None:
        old, self._current = self._current, worker
        if old is not None:
            old.drain(self._options.drain_s)
            self._draining.append(old)
        url = self._url(where)
        notify(READY=1, MAINPID=os.getpid(), STATUS=f"serving {self._hub.root} at {url}")
        log.info(
            "serving the hub %s at %s (worker %d)", self._hub.root, url, worker.pid,
            extra={"action": "service.ready"},
        )  # fmt: skip
        self._has_served = True
        if self._is_restart_wanted:
            self._is_restart_wanted = False
            self._start()

    def _url(self, where: str) -> str:
        if where.startswith(("http://", "https://")):
            return where
        return url_of(self._listening, self._options.tls_cert is not None) + where.rstrip("/") + "/"

    def _tell_of_failed_start(self, code: int) -> None:
        words = _end_words(code)
        if self._current is not None:
            log.error("the new worker %s; the old one goes on", words, extra={"action": "worker.failed"})
            notify(READY=1, STATUS="serving; the last restart failed")
        elif self._has_served:
            self._start_later(f"the new worker {words}")
        else:
            log.error("the service did not start: its worker %s", words, extra={"action": "worker.failed"})
            self._code = code if code in (2, 3) else OutsideError.exit_code

    def _look_after_current(self) -> None:
        worker = self._current
        if worker is None or (code := worker.ended()) is None:
            return
        worker.close()
        self._current = None
        if time.monotonic() - worker.started_at > SOUND_S:
            self._failures = 0
        if self._starting is None:
            self._start_later(f"worker {worker.pid} {_end_words(code)}")

    def _reap_strangers(self) -> None:
        """As a container's first process, end what others left: a dispatcher that is over, say."""
        ours = {worker.pid for worker in self._workers()}
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if found.si_pid in ours:
                    return  # looked after in the next turn
                os.waitpid(found.si_pid, 0)

    def _start_later(self, why: str) -> None:
        pause = min(PAUSE_AT_MOST_S, PAUSE_S * 2**self._failures)
        self._failures += 1
        log.error("%s; another starts in %.1f s", why, pause, extra={"action": "worker.died"})
        self._start_at = time.monotonic() + pause

    def _start_if_due(self) -> None:
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self._start()


def _take_up_work(hub: Hub) -> None:
    """See that somebody works on what was queued before the host, or the container, was started."""
    if not hub.index.exists():
        return
    try:
        index = Index(hub.index, is_read_only=True)
        has_work = bool(index.unfinished())
        index.close()
        if has_work:
            ensure_dispatcher(hub)
    except OutsideError as error:
        log.error("%s; %s", error.message, error.hint, extra={"action": "dispatcher.failed"})


def _arguments(hub: Hub, options: ServeOptions) -> Iterator[str]:
    yield from ("--hub", str(hub.root))
    given = {
        "--public-url": options.public_url,
        "--prefix": options.prefix,
        "--tls-cert": options.tls_cert,
        "--tls-key": options.tls_key,
    }
    for name, value in given.items():
        if value is not None:
            yield from (name, str(value))


def _check_installed() -> None:
    if find_spec("litestar") is None or find_spec("uvicorn") is None:
        raise UserError(
            "the packages of a hub's service are not installed",
            "Install them beside Lockgate: pip install 'lockgate[hub]'",
            code="service-not-installed",
        )


def _check_tls(options: ServeOptions) -> None:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UserError(
            "a certificate and its key go together",
            "Give both --tls-cert and --tls-key.",
            code="tls-incomplete",
        )
    for path in (options.tls_cert, options.tls_key):
        if path is not None and not os.access(path, os.R_OK):
            raise UserError(
                f"{path} cannot be read", "Name PEM files that the hub's owner may read.", code="tls-missing"
            )


def _end_words(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


@contextlib.contextmanager
def _only_one(hub: Hub) -> Iterator[None]:
    """Hold the hub's lock; the kernel gives it back however we end."""
    path = hub.root / "service.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "?"
            raise UserError(
                f"the hub {hub.root} is served already, by process {pid}",
                f"To restart it: kill -HUP {pid}. To end it: kill {pid}",
                code="served-already",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Give a descriptor from which the numbers of arriving signals are read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
