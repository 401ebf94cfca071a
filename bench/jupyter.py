"""What noting every cell costs: one notebook server with and one without Lockgate, asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from measure import LOCKGATE, Row, absolute, environment, paired_times, sh

_TOKEN = "bench"
_UP_S = 60.0
_LINES = 200_000
_FLOOD = f"for n in range({_LINES}):\n    print('line', n)"
#: So long works a cell whose share is told.
_WORK = "import time\ntime.sleep(0.5)"


def jupyter(scratch: Path, quick: bool) -> list[Row]:
    """A cell of no work, one of half a second, and a flood."""
    return asyncio.run(_measure(scratch, 5 if quick else 20, 1 if quick else 5))


async def _measure(scratch: Path, cells: int, floods: int) -> list[Row]:
    env = environment(scratch)
    project = scratch / "project"
    project.mkdir()
    (project / "i").write_text("1\n")
    sh(f"git init -q . && {LOCKGATE} init && git add -A && git commit -qm first", project, env)
    cell = {"cell_type": "code", "id": "a", "source": "", "metadata": {}, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (project / "n.ipynb").write_text(json.dumps(notebook))
    async with (
        _served(scratch / "bare", project, env, is_ours=False) as bare,
        _served(scratch / "ours", project, env, is_ours=True) as ours,
    ):
        pairs = {
            name: [
                (await bare.execute(code), await ours.execute(code))
                if number % 2
                else tuple(reversed((await ours.execute(code), await bare.execute(code))))
                for number in range(rounds + 1)
            ][1:]
            for name, code, rounds in (
                ("idle", "x = 1", 4 * cells), ("work", _WORK, cells), ("flood", _FLOOD, floods)
            )
        }  # fmt: skip
    added = statistics.median(our_ms - bare_ms for bare_ms, our_ms in pairs["idle"])
    floor = "the same server without Lockgate"
    return [
        absolute("Jupyter: a cell is noted: added to its time", added, 5),
        paired_times("Jupyter: a cell of 0.5 s", floor, pairs["work"], 1.01),
        paired_times(
            f"Jupyter: {_LINES:,} lines printed, until the last is seen", floor, pairs["flood"], 1.1
        ),
    ]


class _Desk:
    """A kernel, and the websocket by which a page drives it."""

    def __init__(self, socket_: Any) -> None:
        self._socket = socket_

    async def execute(self, code: str) -> float:
        """Return the milliseconds until the cell's end is told, all that it printed read."""
        id = uuid.uuid4().hex
        header = {
            "msg_id": id,
            "msg_type": "execute_request",
            "username": "",
            "session": "bench",
            "date": "2026-01-01T00:00:00Z",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        request = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        began = time.perf_counter()
        await self._socket.write_message(json.dumps(request))
        while True:
            self._acknowledge_at_once()
            told = json.loads(await self._socket.read_message())
            if (
                told["parent_header"].get("msg_id") == id
                and told["msg_type"] == "status"
                and told["content"]["execution_state"] == "idle"
            ):
                return (time.perf_counter() - began) * 1000

    def _acknowledge_at_once(self) -> None:
        """Else one cell in two waits 40 ms for an acknowledgement that Linux holds back, on either server."""
        if hasattr(socket, "TCP_QUICKACK"):
            self._socket.protocol.stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


@contextlib.asynccontextmanager
async def _served(home: Path, project: Path, env: dict[str, str], *, is_ours: bool) -> AsyncIterator[_Desk]:
    from tornado.websocket import websocket_connect

    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    (home / "config").mkdir()
    extensions = {"ServerApp": {"jpserver_extensions": {"lockgate.jupyter": is_ours}}}
    (home / "config/jupyter_server_config.json").write_text(json.dumps(extensions))
    # What floods is limited by Jupyter itself, unless told otherwise
    options = [
        f"--port={port}", "--allow-root", f"--IdentityProvider.token={_TOKEN}",
        f"--ServerApp.root_dir={project}",
        "--ZMQChannelsWebsocketConnection.iopub_msg_rate_limit=0",
        "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=0",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            env=env | folders | {"IPYTHONDIR": str(home / "ipython")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        kernel = await _session(port)
        address = f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?token={_TOKEN}"
        desk = _Desk(await websocket_connect(address, max_message_size=1 << 30))
        await desk.execute("0")
        yield desk
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


async def _session(port: int) -> str:
    body = {"path": "n.ipynb", "name": "n.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    end = time.monotonic() + _UP_S
    while True:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/sessions?token={_TOKEN}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with await asyncio.to_thread(urllib.request.urlopen, request, timeout=30) as answer:
                return str(json.loads(answer.read())["kernel"]["id"])
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
