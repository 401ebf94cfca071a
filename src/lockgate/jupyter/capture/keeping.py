"""Cells that have ended go into the journal of their project: in a thread of its own, many at a time."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.activity.execution import Execution, mark_of
from lockgate.activity.secrets import secret_values
from lockgate.errors import LockgateError
from lockgate.hub.worktree.journal import Journal
from lockgate.jupyter.capture.cell_ids import CellIds
from lockgate.jupyter.capture.notebooks import Notebooks
from lockgate.jupyter.service import Service
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE

_log = logging.getLogger(__name__)
#: Cells that end so soon after each other are kept together, with one snapshot of the work tree.
_GATHER_S = 0.25
#: The thread rests so many times as long as it worked: on large projects a snapshot takes its time.
_REST = 4
#: So many cells wait; more are not kept, as something executes cells without end.
_WAITING = 5_000
_FLUSH_S = 5.0


class Ended(msgspec.Struct, frozen=True):
    """A cell that has ended; `path`: the notebook's or console's, as Jupyter calls it."""

    path: str
    done: Execution


class Noted(msgspec.Struct, frozen=True):
    """Entries of a journal that were just made."""

    entries: tuple[str, ...]


class Keeper:
    """Keeps what was executed on one server."""

    def __init__(self, service: Service, cell_ids: CellIds) -> None:
        self._service = service
        self._cell_ids = cell_ids
        self._queue: queue.Queue[Ended | None] = queue.Queue(_WAITING)
        self._notebooks = Notebooks()
        self._journals: dict[Path, Journal] = {}
        self._secrets = secret_values(os.environ)
        self._thread = threading.Thread(target=self._work, name="lockgate journal", daemon=True)
        self._thread.start()

    def keep(self, ended: Ended) -> None:
        """Take over a cell; never waits."""
        try:
            self._queue.put_nowait(ended)
        except queue.Full:
            _log.warning("a cell is not in the journal: too many at once", extra={"action": "capture"})

    def close(self) -> None:
        """Write what waits, within some seconds."""
        try:
            self._queue.put(None, timeout=_FLUSH_S)
        except queue.Full:
            return
        self._thread.join(_FLUSH_S)

    def _work(self) -> None:
        is_on = True
        while is_on:
            waiting, is_on = self._batch()
            began = time.monotonic()
            for root, cells in self._by_project(waiting).items():
                try:
                    self._note(root, cells)
                except LockgateError as error:
                    _log.warning("%s. %s", error.message, error.hint, extra={"action": "capture"})
                except Exception:  # noqa: BLE001  (the thread goes on: the next cell may be another project's)
                    _log.exception("cells are not in the journal", extra={"action": "capture"})
            if is_on:
                time.sleep(min(5.0, _REST * (time.monotonic() - began)))

    def _batch(self) -> tuple[list[Ended], bool]:
        """Wait for a cell, and a little for more; False: there will be none."""
        found: list[Ended] = []
        first = self._queue.get()
        if first is None:
            return found, False
        found.append(first)
        end = time.monotonic() + _GATHER_S
        while True:
            try:
                more = self._queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return found, True
            if more is None:
                return found, False
            found.append(more)

    def _by_project(self, waiting: list[Ended]) -> dict[Path, list[Execution]]:
        found: dict[Path, list[Execution]] = {}
        for root, done in self._wanted(waiting):
            found.setdefault(root, []).append(done)
        return found

    def _wanted(self, waiting: list[Ended]) -> Iterator[tuple[Path, Execution]]:
        for ended in waiting:
            if mark_of(ended.done.code) == "ignore":
                continue
            try:
                root = self._service.project_at(ended.path)
                inside = self._service.inside(root, ended.path)
            except (LockgateError, ValueError):
                continue
            if not _is_captured(root):
                continue
            if not inside.endswith(".ipynb"):
                yield root, ended.done
                continue
            saved = self._notebooks.saved(root / inside)
            if saved.is_captured:
                # An id from the page is sure; a saved notebook may hold another code, or not the cell yet
                cell = self._cell_ids.take(ended.done.request) or saved.cells.get(ended.done.code)
                yield root, msgspec.structs.replace(ended.done, notebook=inside, cell=cell)

    def _note(self, root: Path, cells: list[Execution]) -> None:
        journal = self._journals.setdefault(root, Journal(root))
        entries = journal.note(cells, self._secrets)
        self._service.tell("activity", root, Noted(tuple(entries)))


def _is_captured(root: Path) -> bool:
    """Only a project has a journal, and none whose manifest forbids it, or cannot be read."""
    try:
        return parse_manifest((root / MANIFEST_FILE).read_text("utf-8")).is_captured
    except (OSError, UnicodeDecodeError, LockgateError):
        return False
