"""Datasets in the search index: found by what is said of them, and by the names of their columns."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator

from sqlalchemy import select

from lockgate.data.profile import Profile
from lockgate.errors import LockgateError
from lockgate.git.program import attempt
from lockgate.hub.datasets.catalogue import Entry, commit_at, entries_at
from lockgate.hub.datasets.profiles import profile_of
from lockgate.hub.directory import Hub
from lockgate.hub.search.database import Database
from lockgate.hub.search.document import KEPT_CHARS, Document
from lockgate.hub.search.reading import clean
from lockgate.hub.search.tables import projects
from lockgate.hub.search.writing import put_documents

_log = logging.getLogger(__name__)
KIND = "data"


def take_in_datasets(hub: Hub, database: Database, project: str) -> None:
    """Bring the datasets of a project's default branch in; what is known already stays.

    Looks through content nobody has looked through yet, which takes its time. Raises `LockgateError`.
    """
    repository = hub.repository(project)
    commit = commit_at(repository, None)
    if commit is None:
        return
    entries, _ = entries_at(repository, commit)
    if not entries:
        return
    _, told, _ = attempt(repository, "log", "-1", "--format=%ct", commit)
    at = float(told.decode().strip() or 0)
    for entry in entries:
        found = document_of(entry, profile_of(hub, project, entry), commit, at)
        with database.take_in() as connection:
            number = connection.execute(select(projects.c.number).where(projects.c.name == project)).scalar()
            if number is None:
                return
            put_documents(connection, number, [found])


def document_of(entry: Entry, profile: Profile | None, commit: str, at: float) -> Document:
    """Return what a dataset is found by. Its key tells what is said of it, so that a change comes in anew."""
    said = entry.description
    body = clean("\n".join(line for line in _lines(entry, profile) if line))[:KEPT_CHARS]
    digest = hashlib.sha256(f"{entry.path}\0{body}".encode("utf-8", "replace")).hexdigest()[:40]
    return Document(
        kind=KIND,
        key=f"{entry.content or ''}:{digest}",
        at=at,
        by=clean(said.owner),
        title=clean(entry.path),
        body=body,
        path=clean(entry.path),
        commit=commit,
    )


def _lines(entry: Entry, profile: Profile | None) -> Iterator[str]:
    said = entry.description
    yield said.text
    for name in ("licence", "source", "version"):
        if word := getattr(said, name):
            yield f"{name} {word}"
    if said.labels:
        yield f"labels {', '.join(said.labels)}"
    columns = {column.name: column.kind for column in profile.columns} if profile is not None else {}
    for name, kind in columns.items():
        yield f"column {name} ({kind})" + (f": {said.columns[name]}" if name in said.columns else "")
    for name, words in said.columns.items():
        if name not in columns:
            yield f"column {name}: {words}"


class DatasetIntake:
    """Takes datasets in beside the service's answers: what is new is told to it, a thread does the work."""

    def __init__(self, hub: Hub, database: Database) -> None:
        self._hub = hub
        self._database = database
        self._commits: dict[str, str | None] = {}
        self._news = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Tell that there may be something new."""
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="datasets", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._news.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._news.wait()
            self._news.clear()
            for project in self._hub.projects():
                if self._ended.is_set():
                    return
                self._look_at(project)

    def _look_at(self, project: str) -> None:
        try:
            commit = commit_at(self._hub.repository(project), None)
            if project in self._commits and self._commits[project] == commit:
                return
            take_in_datasets(self._hub, self._database, project)
            self._commits[project] = commit
        except LockgateError as error:
            _log.warning("datasets of %s cannot be taken in: %s", project, error.message)
