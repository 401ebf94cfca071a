"""Merging a notebook cell by cell, by nbdime's decisions; without nbdime it is a file as any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal

import msgspec

from lockgate.hub.notebooks.cell import CellChoice, CellConflict
from lockgate.hub.notebooks.quick_import import quick_import

#: Marks a cell of the base while decisions are carried out, to find what became of it.
_MARK = "lockgate-cell"
#: Nothing is decided by putting marks into cells: what both changed is left to be asked about.
_STRATEGIES = SimpleNamespace(
    merge_strategy="mergetool",
    input_strategy=None,
    output_strategy=None,
    ignore_transients=True,
    log_level="INFO",
)


class _Cell(msgspec.Struct, frozen=True):
    cell_type: str
    metadata: dict[str, Any]
    source: str | list[str]


class _Look(msgspec.Struct, frozen=True):
    nbformat: Literal[4]
    cells: list[_Cell]


class Merge:
    """A merge of three notebooks. `cells`: what both changed and nobody decided."""

    def __init__(self, base: Any, decisions: Sequence[Any], mine: Any, theirs: Any) -> None:
        """`mine`, `theirs`: what nbdime says changed from the base."""
        self._base = base
        self._decisions = decisions
        self._groups: dict[int, list[Any]] = {}
        for decision in decisions:
            if decision.conflict:
                self._sort_in(decision)
        # What is in no conflict by itself still is part of the cell's text, which is taken as a whole
        for decision in decisions:
            path = decision.common_path
            if not decision.conflict and path[2:3] == ("source",) and path[1] in self._groups:
                self._groups[path[1]].append(decision)
        self.cells = self._seen(mine, theirs) if self._groups else ()

    def solve(self, choices: Mapping[str, CellChoice]) -> bytes:
        """Return the merged notebook, each cell in conflict as was chosen; `choices` names them all."""
        texts: dict[int, str | None] = {}
        for cell in self.cells:
            choice = choices[cell.key]
            side = "remote" if choice.take == "theirs" else "local"
            if choice.take == "edit":
                # A side that still has the cell, so that the text can be put there
                side = "local" if cell.mine is not None else "remote"
            for decision in self._groups[int(cell.key)]:
                decision.action = side
            sides = {"mine": cell.mine, "theirs": cell.theirs, "edit": choice.text}
            texts[int(cell.key)] = sides[choice.take]
        from nbdime.merging.decisions import apply_decisions  # noqa: PLC0415

        merged = apply_decisions(self._marked(), self._decisions)
        for found in merged["cells"]:
            text = texts.get(found["metadata"].pop(_MARK, -1))
            if text is not None:
                found["source"] = text
        return _written(merged)

    def base_source(self, key: str) -> str:
        """Return the text that a cell in conflict had before."""
        source: str = self._base["cells"][int(key)]["source"]
        return source

    def _sort_in(self, decision: Any) -> None:
        """Decide what needs no question, and put the rest to its cell."""
        path = decision.common_path
        if path[:1] != ("cells",):
            decision.action = "local"
            return
        if len(path) > 1:
            keys = path[2:3] or {each.key for each in [*decision.local_diff, *decision.remote_diff]}
            if "source" in keys:
                self._groups.setdefault(path[1], []).append(decision)
            else:
                # Outputs, counts and metadata come from running again: mine are what I see
                decision.action = "local"
            return
        operations = [*decision.local_diff, *decision.remote_diff]
        if all(each.op == "addrange" for each in operations):
            decision.action = "local_then_remote"
        else:
            self._groups.setdefault(min(each.key for each in operations), []).append(decision)

    def _seen(self, mine: Any, theirs: Any) -> tuple[CellConflict, ...]:
        from nbdime import patch_notebook  # noqa: PLC0415

        sides = []
        for changes in (mine, theirs):
            patched = patch_notebook(self._marked(), changes)
            sides.append({cell["metadata"].get(_MARK): cell["source"] for cell in patched["cells"]})
        return tuple(
            CellConflict(
                str(cell),
                f"{self._base['cells'][cell]['cell_type'].capitalize()} cell {cell + 1}",
                sides[0].get(cell),
                sides[1].get(cell),
            )
            for cell in sorted(self._groups)
        )

    def _marked(self) -> Any:
        import copy  # noqa: PLC0415

        marked = copy.deepcopy(self._base)
        for number, cell in enumerate(marked["cells"]):
            cell["metadata"][_MARK] = number
        return marked


def is_notebook(content: bytes) -> bool:
    """Return whether these bytes are a notebook that can be opened."""
    try:
        msgspec.json.decode(content, type=_Look)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def merge(base: bytes | None, mine: bytes | None, theirs: bytes | None) -> Merge | None:
    """Return the merge of three notebooks; None where one is missing or none, or nbdime is not installed."""
    if base is None or mine is None or theirs is None:
        return None
    if not all(is_notebook(content) for content in (base, mine, theirs)):
        return None
    try:
        with quick_import():
            from nbdime import diff_notebooks  # noqa: PLC0415  (0.5 s; extra `jupyter`)
            from nbdime.merging.notebooks import decide_notebook_merge  # noqa: PLC0415
    except ImportError:
        return None
    base_, mine_, theirs_ = (_read(content) for content in (base, mine, theirs))
    decisions = decide_notebook_merge(base_, mine_, theirs_, args=_STRATEGIES)
    return Merge(base_, decisions, diff_notebooks(base_, mine_), diff_notebooks(base_, theirs_))


def _read(content: bytes) -> Any:
    from nbformat.v4 import nbjson  # noqa: PLC0415

    reader: Any = nbjson.JSONReader()
    return reader.reads(content.decode("utf-8"))


def _written(notebook: Any) -> bytes:
    from nbformat.v4 import nbjson  # noqa: PLC0415

    writer: Any = nbjson.JSONWriter()
    text: str = writer.writes(notebook)
    return (text.rstrip("\n") + "\n").encode("utf-8", "surrogatepass")
