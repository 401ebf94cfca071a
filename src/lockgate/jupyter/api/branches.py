"""The branches of a project's work tree."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.git.branches import Branches, begin_branch, list_branches, switch_branch
from lockgate.jupyter.handler import Handler


class Asked(msgspec.Struct, frozen=True):
    """`is_new`: it begins where the work tree is."""

    name: str
    is_new: bool = False


class BranchesOf(Handler):
    """`GET ?path=`: all branches. `POST`: check one out; edits that are not committed come along."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._list))

    @authenticated
    async def post(self) -> Any:
        await self.answer(self.service.do(self._switch, self.asked(Asked)))

    def _list(self) -> Branches:
        return list_branches(self.project)

    def _switch(self, asked: Asked) -> Branches:
        root = self.project
        (begin_branch if asked.is_new else switch_branch)(root, asked.name)
        self.service.tell("standing", root, {})
        return list_branches(root)
