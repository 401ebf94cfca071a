"""Kernels that projects bring along: looked for again, as after a file of a project was opened."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.errors import UserError
from lockgate.jupyter.handler import Handler


class Found(msgspec.Struct, frozen=True):
    """What looking led to."""

    changed: tuple[str, ...]
    """All kernels of projects, if they are others than before; else nothing."""


class Kernels(Handler):
    """`POST ?path=`: look for kernels in the project of this file, and in those known."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self.service.do(self._look))

    def _look(self) -> Found:
        try:
            project = self.service.project_at(self.path_asked)
        except UserError as error:
            if error.code != "not-a-repository":
                raise
            project = None
        return Found(self.service.kernels.gather(project))
