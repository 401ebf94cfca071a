"""The data that a run's stages need: whether the hub has it, else fetched from the project's remote."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.data.digest import Listed, md5_of_file, parse_listing
from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.hub.data_source import Source, data_source
from lockgate.hub.directory import Hub
from lockgate.hub.holdings import Holdings
from lockgate.hub.object_lookup import ProjectObjects
from lockgate.project.quantities import counted, size_words
from lockgate.runs.plan import Plan, Planner
from lockgate.runs.pointed import Pointed, stored_digest

_NAMED_AT_MOST = 3


class Wanted(msgspec.Struct, frozen=True):
    """An object that a stage needs, and the data it belongs to."""

    md5: str
    path: str
    size_bytes: int | None = None
    """Of the file or folder that is named."""


class Supply:
    """What a hub has of a project's data, and where else it may come from."""

    def __init__(self, hub: Hub, project: str) -> None:
        self._hub = hub
        self._project = project
        self._store = Store(hub.store)
        self._objects = ProjectObjects(hub, project)
        self._source: Source | None = None
        self._has_looked = False

    def listing(self, md5: str) -> Sequence[Listed] | None:
        """Return the files of a stored folder, fetched where it is not here; None: nobody has it."""
        content = self.read(md5)
        return parse_listing(content) if content is not None else None

    def read(self, md5: str) -> bytes | None:
        """Return an object's bytes, fetched where it is not here; None: nobody has it."""
        if not self._objects.has(md5):
            try:
                self.fetch([md5])
            except LockgateError:
                return None
        return self._store.read(md5)

    def lacking(self, planner: Planner, plan: Plan, pointed: Mapping[str, Pointed]) -> list[Wanted]:
        """Return what the stages that are to run need and the hub does not have."""
        names = [stage.name for stage in plan.stages if stage.reused is None]
        found: dict[str, Wanted] = {}
        for name in names:
            for path, entry in planner.inputs_of(name).files:
                md5 = stored_digest(entry)
                if md5 is None or md5 in found:
                    continue
                size = pointed[path].output.size_bytes if path in pointed else None
                for each in self._parts(Wanted(md5, path, size)):
                    if not self._objects.has(each.md5):
                        found.setdefault(each.md5, each)
        return list(found.values())

    def _parts(self, whole: Wanted) -> Iterator[Wanted]:
        yield whole
        if whole.md5.endswith(".dir") and self._objects.has(whole.md5):
            for listed in parse_listing(self._store.read(whole.md5)):
                yield Wanted(listed.md5, whole.path, whole.size_bytes)

    def nowhere(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Return what of it the project's remote does not have either."""
        source = self.source
        there = source.present([each.md5 for each in wanted]) if source is not None and wanted else set()
        return [each for each in wanted if each.md5 not in there]

    @property
    def source(self) -> Source | None:
        if not self._has_looked:
            self._source, self._has_looked = data_source(self._hub, self._project), True
        return self._source

    def fetch(self, digests: Sequence[str]) -> None:
        """Bring objects from the project's remote, with what the folders among them hold.

        Raises `UserError` (`data-damaged`), `OutsideError`: `data-missing`, and what the remote says.
        """
        source = self.source
        holdings = Holdings(self._hub, self._project)
        waiting = list(digests)
        while waiting:
            md5 = waiting.pop()
            if not self._objects.has(md5):
                if source is None:
                    raise _nowhere(md5)
                self._fetch_one(source, md5)
                holdings.add([md5])
                self._objects.learn(md5)
            if md5.endswith(".dir"):
                inside = parse_listing(self._store.read(md5))
                waiting += [each.md5 for each in inside if not self._objects.has(each.md5)]

    def _fetch_one(self, source: Source, md5: str) -> None:
        parts = self._hub.incoming / self._project
        parts.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=parts, prefix=f"{md5}-")
        os.close(handle)
        draft = Path(name)
        try:
            source.fetch(md5, draft)
            if md5_of_file(draft) != md5[:32]:
                raise UserError(
                    f"what the project's remote has as {md5} is not that: its bytes have another digest",
                    "Send it anew from a clone that has it: dvc push, or lockgate data put",
                    code="data-damaged",
                )
            if not self._store.has(md5):
                self._store.adopt(draft, md5)
        finally:
            draft.unlink(missing_ok=True)


def supply(hub: Hub, project: str, wanted: Sequence[Wanted]) -> None:
    """Have the hub have it all. Raises `UserError`: `data-missing`, `data-damaged`; `OutsideError`."""
    source = Supply(hub, project)
    nowhere = source.nowhere(wanted)
    if nowhere:
        raise missing_error(nowhere)
    source.fetch([each.md5 for each in wanted])


def missing_error(wanted: Sequence[Wanted]) -> UserError:
    """Return the refusal of a run whose data is nowhere to be had."""
    named: dict[str, Wanted] = {}
    for each in wanted:
        named.setdefault(each.path, each)
    words = [
        path + (f" ({size_words(each.size_bytes)})" if each.size_bytes is not None else "")
        for path, each in list(named.items())[:_NAMED_AT_MOST]
    ]
    more = len(named) - len(words)
    listed = ", ".join(words) + (f" and {counted(more, 'other')}" if more else "")
    return UserError(
        f"{listed} {'is' if len(named) == 1 else 'are'} not on the hub, nor on the project's remote",
        "Where the data is, send it: lockgate hub send",
        code="data-missing",
    )


def _nowhere(md5: str) -> OutsideError:
    return OutsideError(
        f"{md5} is not on the hub, and the project names no remote that the hub can reach",
        "Where the data is, send it: lockgate hub send",
        code="data-missing",
    )
