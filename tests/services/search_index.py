"""A hub whose search index is filled once, for tests that only ask."""

from __future__ import annotations

from typing import NamedTuple

from lockgate.hub.directory import Hub
from lockgate.hub.search.database import Database


class Filled(NamedTuple):
    """The runs of `recorded_runs.six_runs`, taken in."""

    hub: Hub
    database: Database
    names: dict[str, str]
