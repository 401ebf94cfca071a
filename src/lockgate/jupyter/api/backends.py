"""Where a run may go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado.web import authenticated

from lockgate.hub.operation.backend_list import Offered
from lockgate.hub.reaching.address import address
from lockgate.hub.worktree.asking import ask_backends
from lockgate.jupyter.handler import Handler


class Backends(Handler):
    """`GET ?path=`: the backends of the project that a file lies in."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._list))

    def _list(self) -> Sequence[Offered]:
        return ask_backends(address(None, None, self.project))
