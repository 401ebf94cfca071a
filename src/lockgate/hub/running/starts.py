"""Starts of jobs, kept back for a moment: of a job that ends within it, the end says it all."""

from __future__ import annotations

import time

#: So long a job runs before its start is worth a word.
MOMENT_S = 0.03


class Starts:
    """Those that were reported and not told of yet."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, stage: str, native_id: str) -> None:
        self._kept[stage] = native_id, time.monotonic()

    def drop(self, stage: str) -> None:
        """It has ended."""
        self._kept.pop(stage, None)

    def due(self) -> dict[str, str]:
        """Return by stage the ids of jobs that still run after the moment, which are not kept any more."""
        now = time.monotonic()
        due = {stage: id for stage, (id, at) in self._kept.items() if now - at >= MOMENT_S}
        for stage in due:
            del self._kept[stage]
        return due
