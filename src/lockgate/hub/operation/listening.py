"""The socket that a hub's service listens on: bound here, or handed over by systemd."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket

from lockgate.errors import OutsideError, UserError

#: The first descriptor that systemd hands over, see sd_listen_fds(3).
_FIRST_FD = 3
#: Connections that may wait while workers change; the kernel caps it (net.core.somaxconn).
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return systemd's socket where there is one, else one bound to this address; port 0: any that is free.

    Raises `UserError` (`sockets-many`, `host-unknown`), `OutsideError` (`port-taken`, `port-unavailable`).
    """
    return _handed_over() or _bind(host, port)


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only this machine reaches it."""
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return True
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def url_of(listening: socket.socket, is_tls: bool) -> str:
    """Return the address as a browser on this machine types it, without a slash at its end."""
    name = listening.getsockname()
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return f"unix:{os.fsdecode(name)}"
    host, port = name[0], name[1]
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"


def _handed_over() -> socket.socket | None:
    count, pid = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or int(count) == 0 or pid != str(os.getpid()):
        return None
    if int(count) > 1:
        raise UserError(
            f"systemd hands over {count} sockets; the service listens on one",
            "Leave one ListenStream= in the socket unit.",
            code="sockets-many",
        )
    os.set_inheritable(_FIRST_FD, False)
    return socket.socket(fileno=_FIRST_FD)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise UserError(
            f"{host} is no address of this machine: {error.strerror}",
            "Name one: --host 127.0.0.1 for this machine alone, --host 0.0.0.0 for all its networks.",
            code="host-unknown",
        ) from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise _in_words(error, host, port) from None
    return made


def _in_words(error: OSError, host: str, port: int) -> OutsideError:
    if error.errno == errno.EADDRINUSE:
        return OutsideError(
            f"port {port} of {host} is taken by another program",
            f"Who has it: ss -ltnp 'sport = :{port}'. Or take another: --port {port + 1}",
            code="port-taken",
        )
    below = " Ports below 1024 are root's." if error.errno in (errno.EACCES, errno.EPERM) else ""
    return OutsideError(
        f"port {port} of {host} cannot be listened on: {error.strerror or error}",
        f"Name an address of this machine and a port you may use: --host 127.0.0.1 --port 8321.{below}",
        code="port-unavailable",
    )
