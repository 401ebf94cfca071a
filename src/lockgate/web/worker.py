"""The process that serves: `python -I -m lockgate.web.worker --hub DIR (--fd N | --host H --port N)`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import msgspec
import uvicorn

from lockgate.errors import LockgateError
from lockgate.hub.directory import open_hub
from lockgate.hub.pushing.hookserver import hook_server
from lockgate.web import logs, telemetry
from lockgate.web.app import create_app
from lockgate.web.control import Control
from lockgate.web.protocol import Protocol
from lockgate.web.service import Service
from lockgate.web.settings import Settings, read_settings, settle
from lockgate.web.telemetry import Tracing

#: A request under way when the worker is told to end has so long to finish; the supervisor may end it sooner.
DRAIN_S = 3600
#: Connections that were just opened, or wait between two requests of one push, are answered for so long more.
GRACE_S = 2.0
_BACKLOG = 2048


class Worker(uvicorn.Server):
    """Ends streams of events first when it is told to end: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, service: Service, control: Control | None) -> None:
        super().__init__(config)
        self.service = service
        self.control = control
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.control is not None and self.started:
            self.control.tell_ready(self.service.settings.public_url or self.service.settings.prefix)
            self.control.watch(lambda: self.handle_exit(signal.SIGTERM, None))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connection, let those there are come to an end, then go."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        # From now on each answer asks its client to open another connection, which the next worker takes
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        deadline = asyncio.get_running_loop().time() + GRACE_S
        while self.server_state.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown([])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.service.close)


def main(arguments: list[str]) -> int:
    """Serve until told to end; return the exit code."""
    asked = _parse(arguments)
    logs.start()
    try:
        hub = open_hub(Path(asked.hub))
        service = Service(hub, _settings(asked, read_settings(hub)))
    except LockgateError as error:
        sys.stderr.write(f"lockgate: {error.message}\n  {error.hint} [{error.code}]\n")
        return error.exit_code
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn takes them while it serves, and passes them on when it has drained
        signal.signal(number, lambda *_: sys.exit(0))
    os.chdir("/")
    tracing = telemetry.start()
    try:
        with hook_server(hub):
            _worker(asked, service, tracing).run(sockets=[_listen(asked)])
    finally:
        if tracing is not None:
            tracing.stop()
    return 0


def _worker(asked: argparse.Namespace, service: Service, tracing: Tracing | None) -> Worker:
    config = uvicorn.Config(
        create_app(service, tracing),
        loop="uvloop",
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ssl_certfile=asked.tls_cert,
        ssl_keyfile=asked.tls_key,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=DRAIN_S,
    )
    control = None if asked.control_fd is None else Control(asked.control_fd)
    return Worker(config, service, control)


def _settings(asked: argparse.Namespace, read: Settings) -> Settings:
    given = {
        name: value
        for name, value in (("public_url", asked.public_url), ("prefix", asked.prefix))
        if value is not None
    }
    return settle(msgspec.structs.replace(read, **given)) if given else read


def _listen(asked: argparse.Namespace) -> socket.socket:
    if asked.fd is not None:
        return socket.socket(fileno=asked.fd)
    family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((asked.host, asked.port))
    made.listen(_BACKLOG)
    return made


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lockgate.web.worker")
    parser.add_argument("--hub", required=True)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--control-fd", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8321)
    for name in ("--public-url", "--prefix", "--tls-cert", "--tls-key"):
        parser.add_argument(name)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
