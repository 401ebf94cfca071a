"""Putting a run into the queue, and seeing that somebody works on it. No libgit2: hooks call this."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.loose import write_object
from lockgate.git.program import attempt, git
from lockgate.git.refs import create
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.wake import wake_up

QUEUE = "refs/lockgate/queue/"
#: A push that moved no ref for this long did not go through; one that does later is judged again.
RECEIVED_LIMIT_S = 10.0
#: The descriptor by which a dispatcher is given its start.
_START = 3
#: Variables that are the caller's affair, or a secret: jobs get the dispatcher's environment. Those of a push
#: over HTTP are RFC 3875's.
_CALLERS = (
    "GIT_", "LOCKGATE_MEMBER", "LOCKGATE_SCOPE", "LOCKGATE_PROJECTS", "LOCKGATE_DATABASE_URL", "OTEL_",
    "SSH_ORIGINAL_COMMAND",
    "HTTP_CONTENT_ENCODING", "REMOTE_USER", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH", "PATH_INFO",
    "PATH_TRANSLATED", "QUERY_STRING", "GATEWAY_INTERFACE", "SERVER_PROTOCOL",
)  # fmt: skip


def enqueue(hub: Hub, index: Index, *requests: Request) -> None:
    """Queue received runs of one project. The ref of its own keeps request and commit even if the index is
    lost."""
    if not requests:
        return
    repository = hub.repository(requests[0].project)
    for request in requests:
        create(repository, f"{QUEUE}{request.id}", write_object(repository, "tag", _tag(request)))
    with index.transaction():
        others = [request.id for request in requests if not index.queue_run(request.id)]
    # A dispatcher that looked after a push too slow for it may be done with its run, and has let go its ref
    for run in others:
        row = index.run(run)
        if row is not None and row.ended_at is not None:
            attempt(repository, "update-ref", "-d", f"{QUEUE}{run}")


def _tag(request: Request) -> bytes:
    head = (
        f"object {request.commit}\ntype commit\ntag {request.id}\ntagger Lockgate <hub@localhost> 0 +0000\n\n"
    )
    return head.encode() + msgspec.json.encode(request) + b"\n"


def queued_requests(repository: Path) -> list[Request]:
    """Return every request whose run has not been recorded yet, oldest first."""
    listed = git(repository, "for-each-ref", "--format=%(refname)", QUEUE).decode().split()
    requests = []
    for ref in sorted(listed):
        content = git(repository, "cat-file", "tag", ref)
        requests.append(msgspec.json.decode(content.partition(b"\n\n")[2], type=Request))
    return requests


def ensure_dispatcher(hub: Hub) -> bool:
    """Wake the hub's dispatcher, or start one apart from this process; return whether one was started.

    One that another has started, and that does not listen yet, will see what is queued by now: it looks when
    it listens. Raises `OutsideError` (`dispatcher-not-started`).
    """
    if wake_up(hub):
        return False
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_CALLERS)}
    try:
        with _only_start(hub) as start:
            if start is None:
                return False
            log = os.open(hub.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                _spawn_detached(hub, environment, log, start)
            finally:
                os.close(log)
    except OSError as error:
        raise OutsideError(
            f"the hub's dispatcher could not be started: {error.strerror or error}",
            f"On the hub's host: lockgate hub doctor --hub {hub.root}",
            code="dispatcher-not-started",
        ) from error
    return True


def last_words(hub: Hub) -> str:
    """Return the last line of the dispatcher's log."""
    try:
        lines = hub.log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


@contextlib.contextmanager
def _only_start(hub: Hub) -> Iterator[int | None]:
    """Give the descriptor that stands for the one start under way; None: another's is.

    Its lock goes with it to the dispatcher, which lets go of it once it listens; however that ends before,
    the kernel does.
    """
    handle = os.open(hub.starting, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _spawn_detached(hub: Hub, environment: dict[str, str], log: int, start: int) -> None:
    """A session of its own, and none of our descriptors but `start`: a push must not wait for the
    dispatcher's end."""
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, False)
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-m", "lockgate.hub.running.dispatch", str(hub.root), str(_START)],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
            (os.POSIX_SPAWN_DUP2, start, _START),
        ],
        setsid=True,
    )
