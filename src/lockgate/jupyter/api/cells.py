"""Which cells are being executed, as the page knows that asks for it."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.jupyter.capture.cell_ids import CellIds
from lockgate.jupyter.handler import Handler


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that ask for an execution → the ids of the cells."""

    cells: dict[str, str]


class Noted(msgspec.Struct, frozen=True):
    """How many of them were understood."""

    count: int


class Cells(Handler):
    """`POST`: take note of them."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self.service.do(self._note))

    def _note(self) -> Noted:
        ids: CellIds = self.settings["lockgate_cell_ids"]
        return Noted(ids.put(self.asked(Asked).cells))
