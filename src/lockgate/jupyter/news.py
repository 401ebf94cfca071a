"""What happens is told over Jupyter's own events websocket: no socket of ours, no polling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

SCHEMA = "urn:lockgate:news"
_FILE = Path(__file__).parent / "schemas" / "news.yaml"


def register(logger: Any) -> None:
    """Make our event known to a server's `jupyter_events.EventLogger`; once is enough."""
    if SCHEMA not in logger.schemas:
        logger.register_event_schema(_FILE)


class Teller:
    """Tells from any thread; `root` is the project's folder below the server's root."""

    def __init__(self, logger: Any, loop: Any) -> None:
        self._logger = logger
        self._loop = loop

    def tell(self, kind: str, root: str, data: object) -> None:
        event = {"kind": kind, "root": root, "data": msgspec.to_builtins(data)}
        self._loop.add_callback(lambda: self._logger.emit(schema_id=SCHEMA, data=event))
