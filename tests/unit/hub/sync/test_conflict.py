from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.hub.notebooks.cell import CellChoice, CellConflict
from lockgate.hub.sync.conflict import Choice, Conflict, Side, decided

SIDE = Side("1" * 40, 2, "a\n")
TEXT = Conflict("t", "k", "text", SIDE, SIDE)
NOTEBOOK = Conflict("n.ipynb", "k", "notebook", SIDE, SIDE, (CellConflict("0", "Cell 1", "a", "b"),))


def test_a_choice_counts_only_for_what_was_seen() -> None:
    assert decided(TEXT, {}) is None
    assert decided(TEXT, {"t": Choice("older", "mine")}) is None
    assert decided(TEXT, {"t": Choice("k", "mine")}) == Choice("k", "mine")
    assert decided(TEXT, {"t": Choice("", "theirs")}) == Choice("", "theirs")


def test_a_choice_that_cannot_be_carried_out_is_refused() -> None:
    with pytest.raises(UserError, match="not every cell"):
        decided(NOTEBOOK, {"n.ipynb": Choice("k", "cells")})
    with pytest.raises(UserError, match="not every cell"):
        decided(TEXT, {"t": Choice("k", "cells")})
    with pytest.raises(UserError, match="no text"):
        decided(Conflict("b", "k", "binary", SIDE, SIDE), {"b": Choice("k", "edit", "x")})
    whole = Choice("k", "cells", cells={"0": CellChoice("edit", "c")})
    assert decided(NOTEBOOK, {"n.ipynb": whole}) == whole
