"""How a project stands: would a run do anything, and why. What the Run button's colour says."""

from __future__ import annotations

from typing import Any

from tornado.web import authenticated

from lockgate.jupyter.handler import Handler
from lockgate.jupyter.project_standing import look


class StandingOf(Handler):
    """`GET ?path=`: the standing of the project that a file lies in."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(look, self.service, self.path_asked))
