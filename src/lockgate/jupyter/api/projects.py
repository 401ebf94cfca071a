"""A folder becomes a project: `lockgate init` by a button."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.hub.worktree.setup import set_up
from lockgate.jupyter.handler import Handler


class Asked(msgspec.Struct, frozen=True):
    """The folder to begin in, as Jupyter calls it."""

    path: str


class Projects(Handler):
    """`POST`: make the folder a project; what is there already stays."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._set_up())

    async def _set_up(self) -> object:
        folder = self.service.folder_at(self.asked(Asked).path)
        done = await self.service.do(set_up, folder)
        self.service.tell("standing", self.service.project_at(self.asked(Asked).path), {})
        return done
