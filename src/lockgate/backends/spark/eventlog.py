"""Reading a job's event log while Spark writes it."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.backends.spark.tally import Tally

#: Where a job's events lie in its folder.
EVENTS = "spark/events"
_PIECE_BYTES = 1 << 20
#: So much of a log is read at one look; a driver that writes more is caught up with by later ones.
_LOOK_BYTES = 64 << 20


class EventLog:
    """The events of one job; of several applications in it the newest counts."""

    def __init__(self, folder: str) -> None:
        self._events = Path(folder, EVENTS)
        self._name: str | None = None
        self._offset = 0
        self._rest = b""
        self.tally = Tally()

    def look(self) -> Tally:
        """Read what is new."""
        name = self._newest()
        if name is None:
            return self.tally
        if name != self._name:
            self._name, self._offset, self._rest, self.tally = name, 0, b"", Tally()
        for path in (self._events / f"{name}.inprogress", self._events / name):
            try:
                with path.open("rb", buffering=0) as file:
                    self._read(file.fileno())
            except FileNotFoundError:
                continue
            except OSError:
                break
            break
        return self.tally

    def _newest(self) -> str | None:
        """Return the newest application's log, without the ending it has while it grows."""
        try:
            with os.scandir(self._events) as found:
                logs = [(each.stat().st_mtime_ns, each.name) for each in found if each.name[:1] != "."]
        except OSError:
            return None
        return max(logs)[1].removesuffix(".inprogress") if logs else None

    def _read(self, file: int) -> None:
        end = self._offset + _LOOK_BYTES
        while self._offset < end and (piece := os.pread(file, _PIECE_BYTES, self._offset)):
            self._offset += len(piece)
            *lines, self._rest = (self._rest + piece).split(b"\n")
            for line in lines:
                self.tally.add(line)
