"""A worker whose application answers `/pid`, takes its time at `/slow`, leaves a process behind at `/orphan`,
and falls dead at `/die`."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import uvicorn

from lockgate.hub.directory import open_hub
from lockgate.web.control import Control
from lockgate.web.service import Service
from lockgate.web.settings import read_settings
from lockgate.web.worker import Worker


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/die":
        os._exit(7)
    if scope["path"] == "/orphan":
        # A process whose parent is gone at once, and which ends a little later
        await (await asyncio.create_subprocess_shell("sh -c 'sleep 0.2' &")).wait()
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hub", type=Path)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--control-fd", type=int)
    asked = parser.parse_args()
    hub = open_hub(asked.hub)
    service = Service(hub, read_settings(hub))
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
    Worker(config, service, Control(asked.control_fd)).run(sockets=[socket.socket(fileno=asked.fd)])


if __name__ == "__main__":
    main()
