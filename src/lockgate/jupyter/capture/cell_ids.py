"""Which cell an execution is of, as the page says that asked for it; no kernel repeats it."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

#: So many are remembered: they are asked for when the cell has ended.
MOST = 10_000
_MESSAGE = re.compile(r"[\x21-\x7e]{1,200}")
#: As nbformat 4.5 says.
_CELL = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CellIds:
    """Message that asked for an execution → the cell's id. May be shared between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def put(self, cells: Mapping[str, str]) -> int:
        """Remember ids; return how many of them can be some."""
        found = {
            message: cell
            for message, cell in cells.items()
            if _MESSAGE.fullmatch(message) and _CELL.fullmatch(cell)
        }
        with self._lock:
            self._known |= found
            for message in list(self._known)[: max(0, len(self._known) - MOST)]:
                del self._known[message]
        return len(found)

    def take(self, message: str) -> str | None:
        """Return the id of the cell that a message asked to execute, once."""
        with self._lock:
            return self._known.pop(message, None)
