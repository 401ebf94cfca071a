"""Bringing the search index up to what members' journals say.

A journal is taken in from its mark on, as a chain is; one that was rewritten begins anew, one that is gone is
forgotten. What is wrong with one holds up no other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.activity.journal import REFS, device_of
from lockgate.errors import LockgateError
from lockgate.git.batch import Batch
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.journal_owner import name_of
from lockgate.hub.search.chain_walk import new_entries
from lockgate.hub.search.database import Database
from lockgate.hub.search.journal_reading import read_cells
from lockgate.hub.search.journal_writing import (
    Journal,
    Owner,
    drop_journal,
    journal_of,
    journals_of,
    put_cells,
    set_tip,
)
from lockgate.hub.search.reading import clean
from lockgate.hub.search.writing import mark_of

#: So many entries are one transaction.
STRETCH = 500
_PATIENCE = 20
#: File systems tell times by ticks, some of two seconds.
_SETTLED_NS = 2_500_000_000

Stamp = tuple[tuple[str, int], ...]


class JournalIntake:
    """Keeps the journals of one hub's projects in the index. Not for several threads at a time."""

    def __init__(self, hub: Hub, database: Database) -> None:
        self._hub = hub
        self._database = database
        self._book = open_book(hub)
        self._seen: dict[str, Stamp] = {}
        self.problems: dict[str, tuple[str, ...]] = {}
        """Project → what of its journals could not be read the last time."""

    def forget(self, project: str | None = None) -> None:
        """Look at a project's journals, or at all, as if for the first time."""
        if project is None:
            self._seen.clear()
            self.problems.clear()
        else:
            self._seen.pop(project, None)
            self.problems.pop(project, None)

    def follow(self, project: str) -> bool:
        """Take in what a project's journals have new; return whether there was any."""
        repository = self._hub.repository(project)
        stamp = stamp_of(repository)
        if self._seen.get(project) == stamp:
            return False
        try:
            # Without a folder and packed refs there is none, and git need not be asked
            tips = _tips(repository) if stamp else {}
        except LockgateError as error:
            self.problems[project] = (f"{project}: {error.message}",)
            return False
        problems: list[str] = []
        news = self._drop_gone(project, tips)
        with self._database.read() as connection:
            known = journals_of(connection, project)
        fresh = [ref for ref, tip in tips.items() if ref not in known or known[ref].tip != tip]
        if fresh:
            with Batch(repository) as batch:
                for ref in fresh:
                    news |= self._take(batch, project, ref, problems)
        self.problems.pop(project, None)
        if problems:
            self.problems[project] = tuple(f"{project}: {problem}" for problem in problems)
        # A change right after this one may bear the same time
        if time.time_ns() - max((at for _, at in stamp), default=0) >= _SETTLED_NS:
            self._seen[project] = stamp
        return news

    def _drop_gone(self, project: str, tips: Mapping[str, str]) -> bool:
        with self._database.read() as connection:
            known = journals_of(connection, project)
        gone = [known[ref] for ref in known.keys() - tips.keys()]
        for journal in gone:
            with self._database.take_in() as connection:
                drop_journal(connection, journal)
        return bool(gone)

    def _take(self, batch: Batch, project: str, ref: str, problems: list[str]) -> bool:
        news = False
        try:
            for _ in range(_PATIENCE):
                with self._database.take_in() as connection:
                    journal = journal_of(connection, mark_of(connection, project).number, ref)
                ids = new_entries(batch, journal.tip, ref)
                if ids is None:
                    with self._database.take_in() as connection:
                        if journal_of(connection, journal.project, ref) == journal:
                            drop_journal(connection, journal)
                    news = True
                    continue
                if self._take_stretches(batch, journal, ids, problems):
                    return news or bool(ids)
        except LockgateError as error:
            if error.code.startswith("search-"):
                raise
            problems.append(f"{ref}: {error.message}")
        return news

    def _take_stretches(
        self, batch: Batch, journal: Journal, ids: Sequence[str], problems: list[str]
    ) -> bool:
        """Return False where another intake was faster: its mark is to be looked at."""
        slug, device = device_of(journal.ref)
        for at in range(0, len(ids), STRETCH):
            stretch = ids[at : at + STRETCH]
            found = list(read_cells(batch, stretch, slug, time.time(), problems))
            by = name_of(self._book, slug)
            with self._database.take_in() as connection:
                if journal_of(connection, journal.project, journal.ref) != journal:
                    return False
                put_cells(connection, journal, Owner(by, clean(device)), found)
                set_tip(connection, journal, stretch[-1])
                journal = Journal(journal.number, journal.project, journal.ref, stretch[-1])
        return True


def stamp_of(repository: Path) -> Stamp:
    """Return what differs once a journal was written: git puts a ref in place by a rename in its folder."""
    folder = repository / REFS
    stamp = [*_changed(repository / "packed-refs"), *(own := _changed(folder))]
    if own:
        try:
            with os.scandir(folder) as found:
                stamp += sorted((entry.name, entry.stat().st_mtime_ns) for entry in found)
        except OSError:
            # It vanished in this moment: as git packs refs
            return tuple(stamp)
    return tuple(stamp)


def _changed(path: Path) -> Stamp:
    try:
        return ((path.name, os.stat(path).st_mtime_ns),)  # noqa: PTH116  (asked for at every sync)
    except OSError:
        return ()


def _tips(repository: Path) -> Mapping[str, str]:
    told = git(repository, "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)", REFS)
    lines = (line.split(" ", 2) for line in told.decode("utf-8", "replace").splitlines())
    return {ref: oid for kind, oid, ref in lines if kind == "commit"}
