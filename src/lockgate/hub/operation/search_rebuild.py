"""Building the search index anew, where a hub has one; without one nothing heavy is imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.hub.directory import Hub


def rebuild_search(hub: Hub) -> tuple[str, ...] | None:
    """Build it anew, sessions and saved views kept; return what could not be read. None: there is no index.

    Raises `OutsideError` (`search-unavailable`, `search-damaged`), `UserError` (`database-url`).
    """
    if not (hub.root / "search.sqlite").exists() and not os.environ.get("LOCKGATE_DATABASE_URL"):
        return None
    from lockgate.hub.search.database import open_database  # noqa: PLC0415
    from lockgate.hub.search.datasets import take_in_datasets  # noqa: PLC0415
    from lockgate.hub.search.intake import Intake  # noqa: PLC0415

    database = open_database(hub)
    try:
        intake = Intake(hub, database)
        intake.rebuild()
        for project in hub.projects():
            take_in_datasets(hub, database, project)
    finally:
        database.close()
    return tuple(problem for problems in intake.problems.values() for problem in problems)
