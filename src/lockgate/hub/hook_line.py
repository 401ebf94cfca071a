"""A line to the hub's hook server, which the hooks of one push inherit from the process that starts git.

A shell speaks it, so that no hook waits for an interpreter to start. The hook writes `HOOK PROJECT PID`, and
the server finds the rest in /proc/PID, see proc(5): where its streams lead, its environment, its working
directory. From the server: `taken` in a line and, at the end, the exit code in another. Any other answer, or
none, and nothing was done: the hook goes on to what stands below in its text.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.hub.hook import SOCKET

#: The line's number in the hook: shells name descriptors by one digit.
DESCRIPTOR = 3
#: Where a hook's streams lead while it speaks: to read a line, a shell has that be its standard input.
STREAMS = (4, 5, 6)
#: Set where there is a line.
VARIABLE = "LOCKGATE_HOOK_LINE"
TAKEN = "taken"
#: So long may the name of a socket be, see unix(7).
_LONGEST = 107


def open_line(root: Path) -> socket.socket | None:
    """Return a line to the hook server of the hub at `root`.

    None: nobody listens, or its socket's name is too long, or there is no /proc here.
    """
    place = os.fsencode(root / SOCKET)
    if len(place) > _LONGEST or not Path("/proc/self/fd").is_dir():
        return None
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        line.connect(place)
    except OSError:
        line.close()
        return None
    line.setblocking(True)
    return line


@contextlib.contextmanager
def lent(root: Path) -> Iterator[socket.socket | None]:
    """Have a line for a push; afterwards the server knows that it is over, whoever else has the line."""
    line = open_line(root)
    if line is None:
        yield None
        return
    with line:
        try:
            yield line
        finally:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def bequeathed(root: Path) -> dict[str, str]:
    """Give a line to the program that this process is about to become; return the variables that tell it."""
    line = open_line(root)
    if line is None:
        return {}
    os.dup2(line.detach(), DESCRIPTOR)
    os.set_inheritable(DESCRIPTOR, True)
    return {VARIABLE: "1"}


def taken_along(words: Sequence[str]) -> list[str]:
    """Return what calls a program that has its standard input for a line, and nothing to read."""
    return ["sh", "-c", f'exec {DESCRIPTOR}<&0 0</dev/null; exec "$@"', "sh", *words]
