"""Room on the hub's disk: what it needs to go on by itself is never given away."""

from __future__ import annotations

import shutil

from lockgate.errors import OutsideError
from lockgate.hub.directory import Hub
from lockgate.project.quantities import size_words

#: So much of the hub's disk stays free whatever is sent: its database and repositories must go on.
ROOM_KEPT_BYTES = 100_000_000


def require_room(hub: Hub, size_bytes: int = 0) -> None:
    """Raise `OutsideError` (`hub-full`) where so much more does not fit."""
    if shutil.disk_usage(hub.root).free - size_bytes < ROOM_KEPT_BYTES:
        raise OutsideError(
            f"the hub's disk is full: less than {size_words(ROOM_KEPT_BYTES)} are free",
            "Its owner makes room on it; then try again, what came is kept.",
            code="hub-full",
            is_transient=True,
        )
