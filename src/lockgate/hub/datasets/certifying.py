"""Certifying a dataset, and taking that back: signed entries of the chain, of exactly one version."""

from __future__ import annotations

import contextlib

import msgspec

from lockgate.data.certification import CERTIFIED, WITHDRAWN, Certification, last_day
from lockgate.errors import UserError
from lockgate.hub.datasets.catalogue import catalogue, today
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.members.changes import record
from lockgate.project.quantities import size_words

LONGEST_WORDS = 2_000


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be certified."""

    path: str
    version: str | None = None
    """The digest that whoever certifies has looked at; another one on the hub is refused."""
    revision: str | None = None
    """The branch, tag or commit it is at; left out: the default branch."""
    until: str = ""
    words: str = ""
    is_withdrawal: bool = False


def certify(hub: Hub, project: str, asked: Asked, by: str, email: str = "") -> Certification:
    """Append it to the chain. Who may is asked by the door.

    Raises `UserError`: `data-unknown`, `data-changed`, `certification-invalid`, `revision-unknown`.
    """
    found = catalogue(hub, project, asked.revision)
    listed = found.find(asked.path)
    entry = listed.entry
    if entry.content is None or found.commit is None:
        raise UserError(
            f"{entry.path} has no content yet", "Add its data, or run what makes it.", code="data-unknown"
        )
    if asked.version is not None and asked.version != entry.content:
        raise UserError(
            f"{entry.path} is another version on the hub: {entry.content}, not {asked.version[:40]}",
            "Look at the one that is there, and push yours first if you mean that.",
            code="data-changed",
        )
    words = " ".join(asked.words.split())
    if len(words) > LONGEST_WORDS or not words.isprintable():
        raise UserError(
            f"the words are longer than {LONGEST_WORDS} characters, or hold signs that cannot be shown",
            "Say it shorter; a report may lie beside the data.",
            code="certification-invalid",
        )
    if asked.is_withdrawal and not listed.standing.is_certified:
        raise UserError(
            f"{entry.path} is not certified, so there is nothing to withdraw",
            "Its page tells how it stands.",
            code="certification-invalid",
        )
    until = "" if asked.is_withdrawal else last_day(asked.until, today())
    about: dict[str, object] = {"path": entry.path, "content": entry.content, "size_bytes": entry.size_bytes}
    about |= {"until": until} if until else {}
    about |= {"words": words} if words else {}
    size = f", {size_words(entry.size_bytes)}" if entry.size_bytes is not None else ""
    version = f"{entry.path} ({entry.content[:12]}{size})"
    if asked.is_withdrawal:
        kind, title = WITHDRAWN, f"Certification withdrawn: {version}"
    else:
        kind, title = CERTIFIED, f"Certified until {until}: {version}"
    oid = record(
        hub,
        project,
        kind=kind,
        by=by,
        email=email,
        title=title,
        commit=found.commit,
        evidence=about,
        keep=[found.commit],
    )
    with contextlib.closing(Index(hub.index)) as index:
        made = certification_of(oid, kind, by, _at(hub, project, oid), found.commit, about)
        index.add_certification(project, made)
    return made


def certification_of(
    oid: str, kind: str, by: str, at: str, commit: str | None, evidence: dict[str, object]
) -> Certification:
    """Return what an entry of the chain says. Raises `msgspec.ValidationError`."""
    names = ("path", "content", "until", "words")
    said: dict[str, object] = {name: evidence[name] for name in names if name in evidence}
    said |= {"commit": commit or "", "by": by, "at": at, "is_withdrawal": kind == WITHDRAWN, "entry": oid}
    return msgspec.convert(said, Certification)


def _at(hub: Hub, project: str, oid: str) -> str:
    from lockgate.activity.chain import read  # noqa: PLC0415

    return next(activity.at for _, activity in read(hub.repository(project), 1, oid))
