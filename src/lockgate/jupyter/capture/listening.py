"""One more listener to what each kernel of the server broadcasts; nothing of the server is replaced."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from jupyter_client.session import Session
from jupyter_server import DEFAULT_EVENTS_SCHEMA_PATH

from lockgate.activity.execution import Execution
from lockgate.jupyter.capture.gathering import Gatherer
from lockgate.jupyter.capture.keeping import Ended

_log = logging.getLogger(__name__)
_ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"


class Listener:
    """Hears all kernels of one server; hands cells that have ended to `keep`."""

    def __init__(self, server: Any, keep: Callable[[Ended], None]) -> None:
        self._kernels = server.kernel_manager
        self._sessions = server.session_manager
        self._keep = keep
        self._heard: dict[str, tuple[Any, Gatherer]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        logger = server.event_logger
        if _ACTIONS not in logger.schemas:
            logger.register_event_schema(DEFAULT_EVENTS_SCHEMA_PATH / "kernel_actions" / "v1.yaml")
        logger.add_listener(schema_id=_ACTIONS, listener=self._heed)

    async def _heed(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        kernel = data.get("kernel_id")
        if data.get("status") != "success" or not isinstance(kernel, str):
            return
        if data["action"] == "start":
            self._listen(kernel)
        elif data["action"] == "restart":
            # Its ports stay, and with them the subscription
            self._end_all(kernel)
        elif data["action"] == "shutdown":
            self._end_all(kernel)
            heard = self._heard.pop(kernel, None)
            if heard is not None:
                heard[0].close()

    def _listen(self, kernel: str) -> None:
        if kernel in self._heard or kernel not in self._kernels:
            return
        manager = self._kernels.get_kernel(kernel)
        # Its own, as a session refuses to read one message twice; with the kernel's key it verifies them
        session = Session(config=manager.session.config, key=manager.session.key)
        gatherer = Gatherer(manager.kernel_name, lambda frames: session.deserialize(list(frames)))
        stream = manager.connect_iopub()
        self._heard[kernel] = (stream, gatherer)

        def hear(frames: list[bytes]) -> None:
            try:
                for done in gatherer.take(frames, time.time()):
                    self._tell(kernel, done)
            except Exception:  # noqa: BLE001  (the kernel's words are not ours: the next one is heard)
                _log.exception(
                    "a message of kernel %s was not understood", kernel, extra={"action": "capture"}
                )

        stream.on_recv(hear)

    def _end_all(self, kernel: str) -> None:
        heard = self._heard.get(kernel)
        if heard is not None:
            for done in heard[1].end_all(time.time()):
                self._tell(kernel, done)

    def _tell(self, kernel: str, done: Execution) -> None:
        task = asyncio.ensure_future(self._name(kernel, done))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _name(self, kernel: str, done: Execution) -> None:
        """Find the notebook; a kernel without one serves a program, which has no project."""
        try:
            session = await self._sessions.get_session(kernel_id=kernel)
        except Exception:  # noqa: BLE001  (tornado's HTTPError, or the session was closed in this moment)
            return
        self._keep(Ended(str(session["path"]), done))
