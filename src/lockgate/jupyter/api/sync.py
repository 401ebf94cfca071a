"""The Sync button: what waits, the sync itself, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.hub.sync.conflict import Choice
from lockgate.hub.sync.standing import waiting
from lockgate.hub.sync.sync import Synced, sync
from lockgate.hub.sync.undo import Undone, undo
from lockgate.jupyter.handler import Handler


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the project, as Jupyter calls it; what was decided of conflicts, by path."""

    path: str
    choices: Mapping[str, Choice] = {}


class Syncs(Handler):
    """`GET ?path=`: what waits; with `hub=1` the hub is asked too. `POST`: sync."""

    @authenticated
    async def get(self) -> Any:
        is_asked = self.get_query_argument("hub", "") == "1"
        await self.answer(self.service.do(lambda: waiting(self.project, is_asked=is_asked)))

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._sync())

    async def _sync(self) -> Synced:
        asked = self.asked(Asked)
        root = await self.service.do(self.service.project_at, asked.path)
        done = await self.service.do(sync, root, asked.choices)
        _tell(self, root, done.changed)
        return done


class Undoing(Handler):
    """`POST`: put back what was before the last sync."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._undo())

    async def _undo(self) -> Undone:
        root = await self.service.do(self.service.project_at, self.asked(Asked).path)
        done = await self.service.do(undo, root)
        _tell(self, root, done.changed)
        return done


def _tell(handler: Handler, root: Path, changed: tuple[str, ...]) -> None:
    handler.service.tell("synced", root, {"changed": changed})
