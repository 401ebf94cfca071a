"""What a saved notebook says about capture: whether it may be, and which cell holds which code."""

from __future__ import annotations

from pathlib import Path

import msgspec

#: A larger notebook is not read for it.
_BYTES = 64_000_000
_KEPT = 64


class _Cell(msgspec.Struct, frozen=True):
    cell_type: str = ""
    id: str | None = None
    source: str | list[str] = ""


class _Lockgate(msgspec.Struct, frozen=True):
    capture: bool = True


class _Metadata(msgspec.Struct, frozen=True):
    lockgate: _Lockgate = _Lockgate()


class _Notebook(msgspec.Struct, frozen=True):
    cells: list[_Cell] = []
    metadata: _Metadata = _Metadata()


class Saved(msgspec.Struct, frozen=True):
    """A notebook as its file has it."""

    is_captured: bool = True
    cells: dict[str, str] = {}
    """Code → the id of the one cell that holds it."""


class Notebooks:
    """Reads notebooks, each again only when its file has changed. Not for sharing between threads."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], Saved]] = {}

    def saved(self, path: Path) -> Saved:
        """Return what a notebook's file says; nothing in particular where it cannot be read."""
        try:
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            known = self._known.get(path)
            if known is not None and known[0] == state:
                return known[1]
            found = read_saved(path.read_bytes()) if stat.st_size <= _BYTES else Saved()
        except OSError:
            return Saved()
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[path] = (state, found)
        return found


def read_saved(content: bytes) -> Saved:
    """Read a notebook's JSON (nbformat 4)."""
    try:
        notebook = msgspec.json.decode(content, type=_Notebook)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return Saved()
    found: dict[str, str | None] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id:
            code = cell.source if isinstance(cell.source, str) else "".join(cell.source)
            found[code] = None if code in found else cell.id
    return Saved(
        notebook.metadata.lockgate.capture, {code: cell for code, cell in found.items() if cell is not None}
    )
