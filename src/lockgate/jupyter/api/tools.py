"""What the project of a folder offers as tools, and that its member confirmed one's command."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.jupyter.handler import Handler
from lockgate.jupyter.tools.gate import ToolGate


class Confirmed(msgspec.Struct, frozen=True):
    """What the member saw: the tool of a folder's project, and the digest of its command."""

    path: str
    name: str
    digest: str


class Tools(Handler):
    """`GET ?path=`: what there is. `POST`: the command that was shown may be started from now on."""

    @property
    def gate(self) -> ToolGate:
        found: ToolGate = self.settings["lockgate_tools"]
        return found

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self.gate.shown, self.path_asked))

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._confirm())

    async def _confirm(self) -> object:
        seen = self.asked(Confirmed)
        await self.service.do(self.gate.confirm, seen.path, seen.name, seen.digest)
        return {}
