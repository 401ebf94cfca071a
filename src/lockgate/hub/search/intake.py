"""Bringing the search index up to what git's chains and journals and `index.sqlite` say.

A project's chain is read from where it was left; each stretch of it is one transaction that moves the mark,
so an intake that was killed goes on, and of two at once the slower one finds the work done.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import delete, select

from lockgate.activity.chain import REF
from lockgate.data.store import Store
from lockgate.errors import LockgateError
from lockgate.git.batch import Batch
from lockgate.git.program import git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.search.chain_walk import new_entries
from lockgate.hub.search.database import Database
from lockgate.hub.search.gathering import default_tip, gather
from lockgate.hub.search.journal_intake import JournalIntake
from lockgate.hub.search.likeness import Look
from lockgate.hub.search.reading import ReadEntry, ReadRun, asked_values, read_entries
from lockgate.hub.search.tables import KEPT, METADATA, projects, runs
from lockgate.hub.search.unfolding import is_picture, look_at_all, unfold
from lockgate.hub.search.words import clear_words
from lockgate.hub.search.writing import (
    Mark,
    drop_project,
    drop_runs,
    known_looks,
    mark_of,
    put_documents,
    put_entries,
    put_looks,
    put_runs,
    set_alive,
    set_mark,
)

#: So many entries are one transaction: writers of sessions wait no longer than that.
STRETCH = 500
_PATIENCE = 20
#: File systems tell times by ticks, some of two seconds.
_SETTLED_NS = 2_500_000_000


class Intake:
    """Keeps one search index up to date. One a process is enough; it may be shared between threads."""

    def __init__(self, hub: Hub, database: Database) -> None:
        self._hub = hub
        self._database = database
        self._store = Store(hub.store)
        self._lock = threading.Lock()
        self._tips: dict[str, str | None] = {}
        self._packed: dict[Path, tuple[tuple[int, int], str | None]] = {}
        self._watch = _Watch(hub.index)
        self._listed: tuple[int, list[str]] = (0, [])
        self._refs: dict[str, str] = {}
        self._journals = JournalIntake(hub, database)
        self._has_looked_for_gone = False
        self._has_begun_anew = False
        self._problems: dict[str, tuple[str, ...]] = {}

    @property
    def problems(self) -> dict[str, tuple[str, ...]]:
        """Project → what of its chain and its journals could not be read the last time."""
        found = dict(self._problems)
        for project, told in self._journals.problems.items():
            found[project] = (*found.get(project, ()), *told)
        return found

    def sync(self) -> bool:
        """Take in all that is new in any project; return whether there was any.

        A chain that cannot be read is told of in `problems` and holds up no other project's. Costs less than
        a millisecond where nothing is new. Raises `OutsideError` (`search-unavailable`).
        """
        with self._lock:
            # Asked first: a run that has ended by then has its end on the chain by the time that is read
            alive = self._watch.unfinished()
            news = False
            there = self._there()
            for project in there:
                news |= self._follow(project)
            news |= self._drop_gone(there)
            if self._has_begun_anew:
                self._watch.forget()
                alive = self._watch.unfinished()
                self._has_begun_anew = False
            if alive is not None:
                news |= self._put_alive(alive)
                self._watch.is_done()
            return news

    def sync_project(self, project: str) -> bool:
        """Take in what one project's chain has new; return whether there was any."""
        with self._lock:
            return self._follow(project)

    def rebuild(self) -> None:
        """Empty the index, but for sessions and saved views, and take everything in again."""
        with self._lock:
            with self._database.take_in() as connection:
                for table in METADATA.sorted_tables:
                    if table not in KEPT:
                        connection.execute(delete(table))
                clear_words(connection)
            self._tips.clear()
            self._journals.forget()
            self._watch.forget()
        self.sync()

    def _follow(self, project: str) -> bool:
        news = self._follow_chain(project)
        return self._journals.follow(project) or news

    def _follow_chain(self, project: str) -> bool:
        tip = self._tip_of(project)
        if project in self._tips and self._tips[project] == tip:
            return False
        problems: list[str] = []
        try:
            news = self._take(project, problems)
            self._problems.pop(project, None)
        except LockgateError as error:
            if error.code.startswith("search-"):
                raise
            problems.append(f"{project}: {error.message}")
            news = False
        if problems:
            self._problems[project] = tuple(problems)
        self._tips[project] = tip
        return news

    def _take(self, project: str, problems: list[str]) -> bool:
        """Take in a project's chain from its mark on; one that does not continue it is taken in anew."""
        with Batch(self._hub.repository(project)) as batch:
            return self._take_from(batch, project, problems)

    def _take_from(self, batch: Batch, project: str, problems: list[str]) -> bool:
        news = False
        for _ in range(_PATIENCE):
            with self._database.take_in() as connection:
                mark = mark_of(connection, project)
            ids = new_entries(batch, mark.tip)
            if ids is None:
                with self._database.take_in() as connection:
                    if mark_of(connection, project) == mark:
                        drop_project(connection, mark.number)
                self._journals.forget(project)
                news = self._has_begun_anew = True
                continue
            if self._take_stretches(batch, project, mark, ids, problems):
                return news or bool(ids)
        return news

    def _take_stretches(
        self, batch: Batch, project: str, mark: Mark, ids: Sequence[str], problems: list[str]
    ) -> bool:
        """Return False where another intake was faster: its mark is to be looked at."""
        for at in range(0, len(ids), STRETCH):
            stretch = ids[at : at + STRETCH]
            read = list(read_entries(batch, project, stretch, problems))
            is_last = at + STRETCH >= len(ids)
            gathered = gather(batch, read, mark.snapshot, default_tip(batch) if is_last else None)
            entries = [self._unfolded(batch, entry) for entry in gathered.entries]
            looks = self._looks(batch, entries)
            with self._database.take_in() as connection:
                if mark_of(connection, project) != mark:
                    return False
                put_entries(connection, mark.number, entries)
                put_looks(connection, looks)
                put_documents(connection, mark.number, gathered.documents)
                mark = Mark(mark.number, stretch[-1], gathered.snapshot)
                set_mark(connection, mark)
        return True

    def _unfolded(self, batch: Batch, entry: ReadEntry) -> ReadEntry:
        """Return an entry with the files of its folders among its run's artifacts."""
        if entry.run is None or not any(ref.md5.endswith(".dir") for ref in entry.run.artifacts):
            return entry
        inside = unfold(batch, self._store, entry.run.artifacts)
        run = msgspec.structs.replace(entry.run, artifacts=(*entry.run.artifacts, *inside))
        return msgspec.structs.replace(entry, run=run)

    def _looks(self, batch: Batch, entries: Sequence[ReadEntry]) -> dict[str, Look]:
        """Look at the pictures that were not looked at before."""
        made = [ref for entry in entries if entry.run is not None for ref in entry.run.artifacts]
        found = {ref.md5: ref for ref in made if is_picture(ref)}
        if not found:
            return {}
        with self._database.read() as connection:
            known = known_looks(connection, list(found))
        return look_at_all(batch, self._store, [ref for md5, ref in found.items() if md5 not in known])

    def _drop_gone(self, there: Sequence[str]) -> bool:
        gone = set(self._tips) - set(there)
        if self._has_looked_for_gone and not gone:
            return False
        with self._database.take_in() as connection:
            known = {row.name: row.number for row in connection.execute(select(projects))}
            gone = set(known) - set(there)
            for project in gone:
                drop_project(connection, known[project])
        self._has_looked_for_gone = True
        for project in [name for name in self._tips if name not in there]:
            del self._tips[project]
            self._journals.forget(project)
        return bool(gone)

    def _put_alive(self, alive: Sequence[RunRow]) -> bool:
        """Bring runs in that have not ended, and see to those that are none any more."""
        with self._database.take_in() as connection:
            numbers = {row.name: row.number for row in connection.execute(select(projects))}
            kept = {
                (row.project, row.id): (row.state, row.started_at)
                for row in connection.execute(select(runs).where(~runs.c.is_recorded))
            }
            news = False
            seen = set()
            for row in alive:
                project = numbers.get(row.request.project)
                if project is None or row.state == "received":
                    continue
                key = (project, row.request.id)
                seen.add(key)
                if key not in kept:
                    is_ended = connection.execute(
                        select(runs.c.number).where(runs.c.project == project, runs.c.id == row.request.id)
                    ).first()
                    if is_ended is None:
                        values = asked_values(row.request.params)
                        put_runs(connection, project, [ReadRun(row=row, values=values, is_recorded=False)])
                        news = True
                elif kept[key] != (row.state, row.started_at):
                    set_alive(connection, project, row)
                    news = True
            lost = {key: kept[key] for key in kept.keys() - seen}
            for project, run in lost:
                found = self._watch.run(run)
                if found is None:
                    drop_runs(connection, project, [run])
                    news = True
                elif (found.state, found.started_at) != lost[project, run]:
                    set_alive(connection, project, found)
                    news = True
            return news

    def _there(self) -> list[str]:
        """Return the projects, listed anew only when their folder was changed."""
        try:
            changed = os.stat(self._hub.repositories).st_mtime_ns  # noqa: PTH116  (asked for at every sync)
        except OSError:
            return []
        # A change right after this one may bear the same time
        if changed != self._listed[0] or time.time_ns() - changed < _SETTLED_NS:
            self._listed = changed, self._hub.projects()
        return self._listed[1]

    def _tip_of(self, project: str) -> str | None:
        """Return the chain's newest entry as git's files say: a loose ref, else a packed one."""
        loose = self._refs.get(project)
        if loose is None:
            loose = self._refs[project] = str(self._hub.repository(project) / REF)
        with contextlib.suppress(OSError), open(loose, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read(200).decode("ascii", "replace").strip()
        repository = self._hub.repository(project)
        packed = repository / "packed-refs"
        try:
            found = packed.stat()
        except OSError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._packed.get(packed)
        if known is None or known[0] != stamp:
            output = git(repository, "for-each-ref", "--format=%(objectname)", REF).decode().strip()
            known = self._packed[packed] = (stamp, output or None)
        return known[1]


class _Watch:
    """`index.sqlite`, looked at again only when it was written to. Not an `Index`, for threads take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sql: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._seen: int | None = None
        self._found: int | None = None

    def unfinished(self) -> list[RunRow] | None:
        """Return the runs that have not ended; None: nothing was written since `is_done`."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  (half the time of Path.stat, asked for at every sync)
        except OSError:
            return None
        if self._file != (found.st_dev, found.st_ino) or self._sql is None:
            self._open((found.st_dev, found.st_ino))
        assert self._sql is not None
        try:
            self._found = self._sql.execute("pragma data_version").fetchone()[0]
        except sqlite3.Error:
            self._found = None
        if self._found is not None and self._found == self._seen:
            return None
        with contextlib.closing(Index(self._path, is_read_only=True)) as index:
            return index.unfinished()

    def is_done(self) -> None:
        """What was found last has been taken in."""
        self._seen = self._found

    def forget(self) -> None:
        self._seen = None

    def run(self, run: str) -> RunRow | None:
        with contextlib.closing(Index(self._path, is_read_only=True)) as index:
            return index.run(run)

    def _open(self, file: tuple[int, int]) -> None:
        if self._sql is not None:
            self._sql.close()
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        self._sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        self._file, self._seen = file, None
