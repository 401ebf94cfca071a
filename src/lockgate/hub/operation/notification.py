"""Telling systemd how the service stands: sd_notify(3), which is one datagram."""

from __future__ import annotations

import os
import socket


def notify(**facts: str | int) -> bool:
    """Send `NAME=value` lines to whoever started us; return whether there is somebody to tell.

    `notify(READY=1, STATUS="serving")`. A socket that does not answer is no reason to stop serving.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{name}={str(value).splitlines()[0]}" for name, value in facts.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(text.encode(), address)
    except OSError:
        return False
    return True
