"""The named pipe between those who have news for the dispatcher and the dispatcher."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lockgate.hub.directory import Hub


@contextlib.contextmanager
def open_wake(hub: Hub) -> Iterator[int]:
    """Open the pipe for reading, with a writer of our own so that it never reads as ended."""
    reader = os.open(hub.wake, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    writer = os.open(hub.wake, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield reader
    finally:
        os.close(writer)
        os.close(reader)


def wake_up(hub: Hub) -> bool:
    """Tell a dispatcher that there is news; return whether one listens."""
    try:
        writer = os.open(hub.wake, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(writer, b"w")
    except BlockingIOError:
        return True  # full of news already
    except OSError:
        return False
    finally:
        os.close(writer)
    return True
