"""Lending what pushed pointers import, to who may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.data.dataset_name import DatasetName
from lockgate.data.imported import Origin, origin_of
from lockgate.data.pointer import parse_pointer
from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt
from lockgate.hub.datasets.lending import lend
from lockgate.hub.datasets.shared_dataset import find_shared
from lockgate.hub.directory import Hub
from lockgate.hub.members.acting import actor_in
from lockgate.hub.members.book import open_book
from lockgate.hub.members.rules import may
from lockgate.hub.pushing.entitlement import record_refusal
from lockgate.hub.supplying.object_lookup import ProjectObjects


def lend_imports(
    hub: Hub, project: str, imports: Sequence[tuple[str, str]], environment: Mapping[str, str]
) -> None:
    """Lend what these pointers, by path and text, name. Raises `UserError` (`import-refused`)."""
    book = open_book(hub)
    actor = actor_in(book, environment)
    objects = ProjectObjects(hub, project)
    for file, text in imports:
        try:
            pointer = parse_pointer(text, file)
        except UserError:
            continue  # the run that reads it says what is wrong
        origin = origin_of(pointer)
        digests = [each.md5 or "" for each in pointer.outputs]
        if origin is None or all(objects.has(md5) for md5 in digests):
            continue
        lender = _lender(hub, project, origin)
        if lender is None:
            continue
        name = DatasetName(lender, origin.path, origin.version)
        if not may(actor, "read", lender):
            error = UserError(
                f"{file} imports {name.words}, and the hub has no such project, or it is not yours to read",
                "Ask a lead of it to make you a viewer there, or take the pointer out of your commits.",
                code="import-refused",
            )
            if not actor.is_owner:
                record_refusal(book, project, actor.name, (), error)
            raise error
        _lend(hub, project, name, origin.commit, digests)


def _lender(hub: Hub, project: str, origin: Origin) -> str | None:
    """Return the project that an import is of; None: none of this hub's. The address may be that of another
    hub with a project of the same name, so the commit has to be there."""
    name = origin.project
    if name is None or name == project or name not in hub.projects() or len(origin.commit) != 40:
        return None
    code, _, _ = attempt(hub.repository(name), "cat-file", "-e", f"{origin.commit}^{{commit}}")
    return name if code == 0 else None


def _lend(hub: Hub, project: str, name: DatasetName, commit: str, digests: Sequence[str]) -> None:
    try:
        if [find_shared(hub, name, commit).md5] == list(digests):
            lend(hub, project, name, commit)
    except LockgateError:
        return  # the bytes are not to be had now: the run that needs them says so
