"""Merging a branch: what would come of it, and the merge itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.hub.sync.conflict import Choice
from lockgate.hub.sync.merge_branch import BranchMerged, merge_branch
from lockgate.jupyter.handler import Handler


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the project, as Jupyter calls it; the branch; what was decided of conflicts, by path."""

    path: str
    branch: str
    choices: Mapping[str, Choice] = {}
    is_dry: bool = False


class Merging(Handler):
    """`POST`: merge; with `is_dry` only say what would come of it."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._merge())

    async def _merge(self) -> BranchMerged:
        asked = self.asked(Asked)
        root = await self.service.do(self.service.project_at, asked.path)
        done = await self.service.do(
            lambda: merge_branch(root, asked.branch, asked.choices, is_dry=asked.is_dry)
        )
        if done.is_done:
            self.service.tell("synced", root, {"changed": done.changed})
        return done
