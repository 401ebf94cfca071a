"""Where objects come from that the store does not have: a remote, the hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lockgate.data.clone import Clone


class Source(Protocol):
    """One place to ask. It brings what it has and passes over what it has not."""

    def bring(self, clone: Clone, md5s: Sequence[str]) -> None:
        """Put these objects into the clone's store, each whole and checked, as far as they are there.

        Of a folder (`….dir`) the listing alone is asked for here; its files are asked for by their own md5.
        Raises `OutsideError` where the place cannot be reached.
        """

    def lacking(self, clone: Clone) -> tuple[str, str] | None:
        """Return why this clone cannot ask there, and what to do; None: it can, or need not."""
