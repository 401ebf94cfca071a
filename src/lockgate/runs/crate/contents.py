"""What a crate tells of: a project, its runs, the files that are in it. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter

import msgspec

from lockgate.runs.record import StageRecord

METADATA = "ro-crate-metadata.json"
MANIFEST = "lockgate-crate.json"
BUNDLE = "project.bundle"
PROVENANCE = "provenance.json"
PUBLIC_KEY = "hub.pub"
RUNTIME = "runtime.txt"
README = "README.md"
ARTIFACTS, SOURCES, DATA, OBJECTS = "artifacts/", "source/", "data/", "objects/"


class Author(msgspec.Struct, frozen=True):
    """Somebody the project's `CITATION.cff` names."""

    name: str
    orcid: str | None = None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the project says of itself."""

    title: str
    description: str
    licence_file: str | None = None
    """A file of the crate."""
    licence: str | None = None
    """An SPDX identifier, as `Apache-2.0`."""
    authors: tuple[Author, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One verification of a run, as the chain tells it."""

    run: str
    by_run: str
    verdict: str
    words: str
    by: str
    at: str


class RunTold(msgspec.Struct, frozen=True, kw_only=True):
    """One run that has ended, as the chain tells it."""

    id: str
    member: str
    ref: str
    outcome: str
    cause: str | None
    started_at: str
    ended_at: str
    snapshot: str
    result: str
    runtime: str
    params: dict[str, str] = {}
    records: tuple[StageRecord, ...] = ()
    """Of the stages this run executed."""


class CrateFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the crate."""

    path: str
    """In the crate."""
    name: str
    """In the project, or in words."""
    size_bytes: int
    sha256: str
    md5: str | None = None
    media_type: str | None = None


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes that are not in the crate."""

    md5: str
    name: str
    size_bytes: int | None = None
    remote: str | None = None


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Data that was imported from another project."""

    path: str
    md5: str
    source: str
    """As `hub://PROJECT/path@version`; of a repository that is no hub's, in words."""
    identity: str
    """The source as a part of an address: what may not stand there is percent-encoded."""
    commit: str
    """Of the other project, which it is pinned to."""


class Crate(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told."""

    project: str
    about: About
    hub: str
    """The fingerprint of the key that signed the chain, as `SHA256:…`."""
    version: str
    """Of Lockgate."""
    main: RunTold
    """The run whose results are given; for a whole project its newest good one."""
    stages: tuple[StageRecord, ...]
    """How each stage of `main` came by its artifacts, in that run or in an earlier one."""
    runs: tuple[RunTold, ...]
    verdicts: tuple[Verdict, ...] = ()
    files: tuple[CrateFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    taken: tuple[Taken, ...] = ()
    trees: frozenset[str] = frozenset()
    """Those of the needs' identities that are folders."""


def sources_of(stages: Sequence[StageRecord]) -> list[tuple[str, str]]:
    """Return the needs that no stage makes, path and identity, each once, sorted.

    Data behind pointers is identified by its md5 as artifacts are: what tells them apart is who makes it.
    """
    made = {artifact.path for stage in stages for artifact in stage.artifacts}
    return sorted(
        {
            need
            for stage in stages
            for need in stage.needs
            if not (need[1].startswith("md5:") and need[0] in made)
        }
    )


def params_of(stages: Sequence[StageRecord]) -> dict[str, object]:
    """Return the parameters of stages, as `STAGE:name`, sorted."""
    found: dict[str, object] = {}
    for stage in stages:
        found |= {f"{stage.stage}:{name}": value for name, value in stage.params.items()}
    return dict(sorted(found.items()))


def md5_in(identity: str) -> str | None:
    """Return the md5 in a need's identity, of a folder with `.dir`; None: git's objects identify it."""
    kind, _, rest = identity.partition(":")
    return rest.partition(":")[0] if kind == "md5" else None


def began_at(ended_at: str, duration_s: float | None) -> str:
    """Return when something began, in the form of `ended_at`; where nobody measured, when it ended."""
    if duration_s is None:
        return ended_at
    began = datetime.fromisoformat(ended_at) - timedelta(seconds=duration_s)
    return began.strftime("%Y-%m-%dT%H:%M:%SZ")


def in_order(records: Mapping[str, StageRecord]) -> tuple[StageRecord, ...]:
    """Return stages after those whose artifacts they need, else by name; records that contradict each other
    by name alone."""
    makers = {artifact.path: name for name, record in records.items() for artifact in record.artifacts}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, record in sorted(records.items()):
        above = {
            makers[path] for path, identity in record.needs if identity.startswith("md5:") and path in makers
        }
        sorter.add(name, *sorted(above - {name}))
    try:
        return tuple(records[name] for name in sorter.static_order())
    except CycleError:
        return tuple(record for _, record in sorted(records.items()))
