"""What two sides changed differently, and what somebody decided about it. No disk here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.hub.notebooks.cell import CellChoice, CellConflict, Take

Kind = Literal["text", "notebook", "binary", "deleted-by-me", "deleted-by-them"]


class Side(msgspec.Struct, frozen=True):
    """A file as one side has it; `text` is None where it is none, or too long to be shown."""

    id: str
    size_bytes: int
    text: str | None = None


class Conflict(msgspec.Struct, frozen=True):
    """One path that cannot be merged without being asked about."""

    path: str
    key: str
    """Of both sides' content: a decision counts only for what was seen when it was made."""
    kind: Kind
    mine: Side | None
    theirs: Side | None
    cells: tuple[CellConflict, ...] = ()
    merged: str | None = None
    """A text with both sides between git's marks, to begin an edit with."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of one path: a whole side, a text, or cell by cell."""

    key: str
    """The conflict's; empty: whatever the sides are by now (the command line's `--mine PATH`)."""
    take: Take | Literal["cells"]
    text: str = ""
    cells: Mapping[str, CellChoice] = {}


def decided(conflict: Conflict, choices: Mapping[str, Choice]) -> Choice | None:
    """Return the choice that counts for a conflict; None: there is none, or it was made about other content.

    Raises `UserError` (`choice-invalid`) for one that cannot be carried out.
    """
    choice = choices.get(conflict.path)
    if choice is None or choice.key not in ("", conflict.key):
        return None
    if choice.take == "cells":
        if any(cell.key not in choice.cells for cell in conflict.cells) or not conflict.cells:
            raise UserError(
                f"not every cell of {conflict.path} that both changed is decided",
                "Decide each, or take one side of the whole notebook.",
                code="choice-invalid",
            )
    elif choice.take == "edit" and conflict.kind == "binary":
        raise UserError(
            f"{conflict.path} is no text, so it cannot be edited here",
            "Keep yours or take theirs; put another file in its place afterwards.",
            code="choice-invalid",
        )
    return choice
