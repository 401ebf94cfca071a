"""One run: what is known of it, and its end."""

from __future__ import annotations

from typing import Any

from tornado.web import authenticated

from lockgate.git.worktree import member_here
from lockgate.hub.address import address
from lockgate.hub.asking import ask_cancel, ask_run
from lockgate.hub.cancel import Cancelled
from lockgate.jupyter.handler import Handler


class OneRun(Handler):
    """`GET ?path=`: a run of the project that a file lies in; the end of its id is enough."""

    @authenticated
    async def get(self, run: str) -> Any:
        await self.answer(self.service.do(lambda: ask_run(address(None, None, self.project), run)))


class Cancelling(Handler):
    """`POST ?path=`: end a run; what is done so far is kept."""

    @authenticated
    async def post(self, run: str) -> Any:
        await self.answer(self.service.do(self._cancel, run))

    def _cancel(self, run: str) -> Cancelled:
        root = self.project
        return ask_cancel(address(None, None, root), run, member_here(root))
