"""What one project of a hub lends another: its data is named there, pinned to a commit, and not copied.

The bytes stay where they are in the one store. The borrower holds them from then on, as if it had sent them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lockgate.data.dataset_name import DatasetName, parse_dataset_name
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.defaultbranch import default_branch
from lockgate.hub.datasets.shared_dataset import Shared, commit_of_version, find_shared
from lockgate.hub.directory import Hub
from lockgate.hub.members.acting import actor_in
from lockgate.hub.members.book import open_book
from lockgate.hub.members.rules import may, require, unknown_project
from lockgate.hub.members.values import Actor
from lockgate.hub.supplying.holdings import Holdings
from lockgate.hub.supplying.object_lookup import ProjectObjects

MOST_AT_ONCE = 200


class LoanRequest(msgspec.Struct, frozen=True):
    """Datasets of other projects; `is_taken`: to be the asking project's too, not only to be looked at."""

    datasets: tuple[DatasetName, ...]
    is_taken: bool = False


class Fault(msgspec.Struct, frozen=True):
    """Why one is not lent. `is_outside`: it is no fault of who asks."""

    code: str
    message: str
    hint: str
    is_outside: bool = False

    @property
    def error(self) -> LockgateError:
        kind = OutsideError if self.is_outside else UserError
        return kind(self.message, self.hint, code=self.code)


class Loan(msgspec.Struct, frozen=True):
    """What one name means; either `dataset` or `fault` is there."""

    dataset: Shared | None = None
    fault: Fault | None = None
    branch: str = ""
    """The default branch, where the name says no version."""

    @property
    def found(self) -> Shared:
        """Return the dataset. Raises why there is none."""
        if self.dataset is None:
            assert self.fault is not None
            raise self.fault.error
        return self.dataset


class Loans(msgspec.Struct, frozen=True):
    """The answers, in the order of the request."""

    loans: tuple[Loan, ...]


def acting(hub: Hub, environment: Mapping[str, str]) -> Actor:
    """Return who asks in this process, as a door of the hub has said; without a door, the owner."""
    return actor_in(open_book(hub), environment)


def answer(hub: Hub, borrower: str, request: LoanRequest, actor: Actor | None) -> Loans:
    """Answer a request of somebody who may read `borrower`, as its door has seen.

    Raises `UserError`: `loan-too-many`, `project-unknown`; `not-allowed` where they may not push to it, and
    something is to be taken.
    """
    hub.require_project(borrower)
    if request.is_taken:
        require(actor, "push", borrower)
    if len(request.datasets) > MOST_AT_ONCE:
        raise UserError(
            f"these are {len(request.datasets)} datasets, and {MOST_AT_ONCE} are told at once",
            "Ask for fewer at a time.",
            code="loan-too-many",
        )
    return Loans(
        tuple(_one(hub, borrower, name, actor, is_taken=request.is_taken) for name in request.datasets)
    )


def _one(hub: Hub, borrower: str, name: DatasetName, actor: Actor | None, *, is_taken: bool) -> Loan:
    try:
        name = parse_dataset_name(name.words)
        require_readable(hub, actor, name.project)
        _require_other(borrower, name)
        commit = commit_of_version(hub, name)
        found = lend(hub, borrower, name, commit) if is_taken else find_shared(hub, name, commit)
        branch = "" if name.version else default_branch(hub.repository(name.project))
        return Loan(found, branch=branch.removeprefix("refs/heads/"))
    except LockgateError as error:
        fault = Fault(error.code, error.message, error.hint, isinstance(error, OutsideError))
        return Loan(fault=fault)


def require_readable(hub: Hub, actor: Actor | None, project: str) -> None:
    """Refuse a project that is not there, or that somebody may not read, in the same words.

    Raises `UserError` (`project-unknown`).
    """
    if project not in hub.projects() or not may(actor, "read", project):
        raise unknown_project(project)


def _require_other(borrower: str, name: DatasetName) -> None:
    if name.project == borrower:
        raise UserError(
            f"{name.words} is of this project itself",
            f"Bring an earlier version of it: lockgate data get --rev {name.version or 'REV'} {name.path}",
            code="import-own",
        )


def lend(hub: Hub, borrower: str, name: DatasetName, commit: str) -> Shared:
    """Make a dataset at a commit the borrower's too. Whoever calls has seen that they may read it.

    Raises as `find_shared`; `OutsideError` (`data-missing`, `hub-unwritable`).
    """
    found = find_shared(hub, name, commit, is_kept=True)
    objects = ProjectObjects(hub, borrower)
    Holdings(hub, borrower).add(md5 for md5 in (*found.files, found.md5) if not objects.is_own(md5))
    _remember(hub, name.project, borrower)
    return found


def _remember(hub: Hub, lender: str, borrower: str) -> None:
    """Note who borrows of whom. What exactly stands in the borrower's commits; this says where to look."""
    place = hub.loans / lender
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / borrower).touch(mode=0o600)
    except OSError as error:
        raise OutsideError(
            f"{place / borrower} cannot be written: {error.strerror or error}",
            "Look at the disk and the rights of the hub's folder.",
            code="hub-unwritable",
            is_transient=True,
        ) from error


def borrowers(hub: Hub, lender: str) -> list[str]:
    """Return the projects that have ever borrowed of this one, and are there still."""
    place = hub.loans / lender
    names = {path.name for path in place.iterdir()} if place.is_dir() else set()
    return [project for project in hub.projects() if project in names]
