"""The data that a run's stages need: whether the hub has it, else fetched from the project's remote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lockgate.data.digest import Listed, parse_listing
from lockgate.data.output import Output
from lockgate.data.remotes.contract import Remote
from lockgate.data.store import Store
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.hub.directory import Hub
from lockgate.hub.room import require_room
from lockgate.hub.supplying.data_source import DataSource, data_source
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.supplying.object_lookup import ProjectObjects
from lockgate.project.quantities import counted, size_words
from lockgate.runs.plan import Plan, Planner
from lockgate.runs.pointed import Pointed, stored_digest

_NAMED_AT_MOST = 3
#: So many objects are fetched before they are made the project's: a kill costs no more than these.
_TOGETHER = 500


class Wanted(msgspec.Struct, frozen=True):
    """An object that a stage needs, and the data it belongs to."""

    md5: str
    path: str
    size_bytes: int | None = None
    """Of the file or folder that is named."""
    is_legacy: bool = False
    """It is named by a pointer of DVC 2, whose digest is of text with other line ends."""


class Supply:
    """What a hub has of a project's data, and where else it may come from."""

    def __init__(self, hub: Hub, project: str) -> None:
        self._hub = hub
        self._project = project
        self._store = Store(hub.store)
        self._objects = ProjectObjects(hub, project)
        self._source: DataSource | None = None
        self._has_looked = False
        self._remote: Remote | None = None

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
                output = pointed[path].output if path in pointed else None
                wanted = Wanted(md5, path) if output is None else _wanted(md5, output)
                for each in self._parts(wanted):
                    if not self._objects.keep(each.md5):
                        found.setdefault(each.md5, each)
        return list(found.values())

    def _parts(self, whole: Wanted) -> Iterator[Wanted]:
        yield whole
        if whole.md5.endswith(".dir") and self._objects.has(whole.md5):
            for listed in parse_listing(self._store.read(whole.md5)):
                yield msgspec.structs.replace(whole, md5=listed.md5)

    def nowhere(self, wanted: Sequence[Wanted], *, is_quick: bool = False) -> list[Wanted]:
        """Return what of it the project's remote does not have either.

        `is_quick`: a remote behind a network is not asked, and taken to have it. Raises `OutsideError` where
        it cannot be reached, `UserError` (`hub-settings`).
        """
        source = self.source
        if not wanted or source is None or source.open is None:
            return list(wanted)
        if is_quick and not source.is_near:
            return []
        there = self._opened(source).present([each.md5 for each in wanted])
        return [each for each in wanted if each.md5 not in there]

    def refusal(self, wanted: Sequence[Wanted]) -> UserError:
        """Return why a run whose data is nowhere does not begin: `data-missing`, `data-legacy`,
        `data-ungranted`."""
        legacy = [each for each in wanted if each.is_legacy]
        if legacy:
            return _legacy(legacy)
        source = self.source
        if source is None or source.open is not None:
            return _missing(wanted)
        return UserError(
            f"{_listed(wanted)} not on the hub, which has no grant to fetch it from {source.url}",
            "Where the data is, send it: lockgate hub send; or the operator writes into hub.toml: "
            f'[credentials.NAME] with url and for = ["{self._project}"]',
            code="data-ungranted",
        )

    @property
    def source(self) -> DataSource | None:
        if not self._has_looked:
            self._source, self._has_looked = data_source(self._hub, self._project), True
        return self._source

    def fetch(self, digests: Sequence[str]) -> None:
        """Bring objects from the project's remote, with what the folders among them hold.

        Raises `OutsideError`: `data-missing`, `hub-full`, `remote-damaged`, and what the remote says. What
        has come is kept, half objects too.
        """
        asked = list(dict.fromkeys(digests))
        while asked:
            lacking = [md5 for md5 in asked if not self._objects.keep(md5)]
            for at in range(0, len(lacking), _TOGETHER):
                self._fetch_some(lacking[at : at + _TOGETHER])
            folders = [md5 for md5 in asked if md5.endswith(".dir")]
            inside = [each.md5 for md5 in folders for each in parse_listing(self._store.read(md5))]
            asked = [md5 for md5 in dict.fromkeys(inside) if not self._objects.has(md5)]

    def _fetch_some(self, digests: Sequence[str]) -> None:
        from lockgate.data.transfer import bring  # noqa: PLC0415

        source = self.source
        if source is None or source.open is None:
            raise _nowhere(digests[0])
        # Not straight into the store: what another project has there would count as fetched, unseen
        staging = Store(self._hub.incoming / self._project / "fetched")
        try:
            bring(staging, self._opened(source), digests, lambda _: require_room(self._hub))
        finally:
            came = [md5 for md5 in digests if staging.has(md5)]
            for md5 in came:
                self._adopt(staging, md5)
            Holdings(self._hub, self._project).add(came)
            for md5 in came:
                self._objects.learn(md5)

    def _adopt(self, staging: Store, md5: str) -> None:
        try:
            self._store.adopt_new(staging.path(md5), md5)
        except (OutsideError, FileNotFoundError):
            # Another run that needed it too may have been faster
            if not self._store.has(md5):
                raise

    def _opened(self, source: DataSource) -> Remote:
        if self._remote is None:
            assert source.open is not None
            self._remote = source.open()
        return self._remote


def supply(hub: Hub, project: str, wanted: Sequence[Wanted]) -> None:
    """Have the hub have it all. Raises `UserError`: `data-missing`, `data-ungranted`; `OutsideError`."""
    source = Supply(hub, project)
    nowhere = source.nowhere(wanted)
    if nowhere:
        raise source.refusal(nowhere)
    source.fetch([each.md5 for each in wanted])


def _wanted(md5: str, output: Output) -> Wanted:
    return Wanted(md5, output.path, output.size_bytes, output.is_legacy)


def _legacy(wanted: Sequence[Wanted]) -> UserError:
    return UserError(
        f"{_listed(wanted)} behind a pointer of DVC 2, whose objects lie elsewhere under other digests",
        f"Where the data is, bring it with `dvc checkout`, then: lockgate data add {wanted[0].path}",
        code="data-legacy",
    )


def _missing(wanted: Sequence[Wanted]) -> UserError:
    return UserError(
        f"{_listed(wanted)} not on the hub, nor on the project's remote",
        "Where the data is, send it: lockgate hub send",
        code="data-missing",
    )


def _listed(wanted: Sequence[Wanted]) -> str:
    """Return what is wanted in words, with its verb."""
    named: dict[str, Wanted] = {}
    for each in wanted:
        named.setdefault(each.path, each)
    words = [
        path + (f" ({size_words(each.size_bytes)})" if each.size_bytes is not None else "")
        for path, each in list(named.items())[:_NAMED_AT_MOST]
    ]
    more = len(named) - len(words)
    listed = ", ".join(words) + (f" and {counted(more, 'other')}" if more else "")
    return f"{listed} {'is' if len(named) == 1 else 'are'}"


def _nowhere(md5: str) -> OutsideError:
    return OutsideError(
        f"{md5} is not on the hub, and the project names no remote that the hub can reach",
        "Where the data is, send it: lockgate hub send",
        code="data-missing",
    )
