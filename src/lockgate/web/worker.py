"""The process that serves: `python -I -m lockgate.web.worker --hub DIR (--fd N | --host H --port N)`."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from lockgate.errors import LockgateError
from lockgate.hub.directory import open_hub
from lockgate.web.app import create_app
from lockgate.web.service import Service
from lockgate.web.settings import read_settings

#: A request under way when the worker is told to end has so long to finish.
DRAIN_S = 3600
_BACKLOG = 2048


class Worker(uvicorn.Server):
    """Ends streams of events first when it is told to end: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)


def main(arguments: list[str]) -> int:
    """Serve until told to end; return the exit code."""
    asked = _parse(arguments)
    try:
        hub = open_hub(Path(asked.hub))
        service = Service(hub, read_settings(hub))
    except LockgateError as error:
        sys.stderr.write(f"lockgate: {error.message}\n  {error.hint} [{error.code}]\n")
        return error.exit_code
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listening = _listen(asked)
    config = uvicorn.Config(
        create_app(service),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=service.settings.is_behind_proxy,
        forwarded_allow_ips="*" if service.settings.is_behind_proxy else None,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=DRAIN_S,
    )
    Worker(config, service).run(sockets=[listening])
    return 0


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
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8731)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
