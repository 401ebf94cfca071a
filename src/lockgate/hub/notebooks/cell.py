"""A cell that two sides changed differently, and what becomes of it."""

from __future__ import annotations

from typing import Literal

import msgspec

Take = Literal["mine", "theirs", "edit"]


class CellConflict(msgspec.Struct, frozen=True):
    """One cell that both changed; None: that side has no such cell."""

    key: str
    """Names it within this conflict; the same as long as both sides are."""
    label: str
    mine: str | None
    theirs: str | None


class CellChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of one cell; `text` with `edit` alone."""

    take: Take
    text: str = ""
