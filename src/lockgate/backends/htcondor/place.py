"""Which access point a job goes to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Place(msgspec.Struct, frozen=True):
    """The pool and the access point; None: those of this host's configuration."""

    pool: str | None = None
    schedd: str | None = None

    def words(self) -> Sequence[str]:
        """Return the options by which HTCondor's commands are told."""
        pool = [] if self.pool is None else ["-pool", self.pool]
        return [*pool, *([] if self.schedd is None else ["-name", self.schedd])]
