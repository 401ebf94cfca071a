"""What a push by a member may do: looked at in the pre-receive hook, before anything is planned.

Every refusal is told in the activity chain. Called for members alone: the hub's owner may push anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate.errors import UserError
from lockgate.git.defaultbranch import default_branch, has_default_branch
from lockgate.git.program import attempt, git
from lockgate.hub.directory import Hub
from lockgate.hub.members.acting import MEMBER, actor_in
from lockgate.hub.members.book import MemberBook, open_book
from lockgate.hub.members.journal_owner import owners_of, slugs_of
from lockgate.hub.members.rules import Action, require
from lockgate.hub.members.slug import member_slug
from lockgate.hub.members.values import Actor
from lockgate.hub.push import ABSENT, JOURNALS, Update, parse_updates
from lockgate.hub.pushing.push_rules import (
    PROTECTED,
    Change,
    default_updates,
    must_be_proposed,
    protected_error,
    require_history,
    require_own_journals,
    require_refs,
)

#: git's own: the tree with nothing in it.
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def entitled_updates(
    hub: Hub, project: str, lines: Sequence[str], environment: Mapping[str, str], is_dry_run: bool
) -> list[Update]:
    """Return what a member pushes, if they may.

    Raises `UserError`: `not-allowed`, `member-unknown`, `member-inactive`, `ref-reserved`,
    `default-branch-protected`, `settings-protected`.
    """
    book = open_book(hub)
    if book.is_open:
        return parse_updates(lines)
    name = environment[MEMBER]
    try:
        actor = actor_in(book, environment)
        leads = book.leads(project)
        require(actor, "push", project, leads)
        updates = parse_updates(lines)
        require_refs(updates)
        if any(update.ref.startswith(JOURNALS) for update in updates):
            require_own_journals(updates, _names_of(book, actor))
        changes = _changes(hub.repository(project), updates)
        for change in changes:
            require_history(actor, project, change, leads)
    except UserError as error:
        pushed = [line.rstrip("\n").split(" ", 2)[-1] for line in lines if line.strip()]
        record_refusal(book, project, name, pushed, error)
        raise
    for change in changes:
        if must_be_proposed(actor, project, change):
            raise protected_error(
                change, leads, None if is_dry_run else _propose(hub, project, actor, change)
            )
    return updates


def _names_of(book: MemberBook, actor: Actor) -> tuple[str, ...]:
    """Return what a member, and no other, goes by in refs."""
    member = book.find(actor.name)
    slugs = slugs_of(member) if member is not None else (member_slug(actor.name),)
    return tuple(slug for slug in slugs if len(owners_of(book, slug)) <= 1)


def _changes(repository: Path, updates: Sequence[Update]) -> list[Change]:
    default = default_branch(repository)
    found = []
    for update in default_updates(updates, default, has_default_branch(repository)):
        if update.new == ABSENT:
            found.append(Change(update))
            continue
        paths = changed_paths(repository, update.old, update.new)
        is_rewrite = update.old != ABSENT and not _is_ancestor(repository, update.old, update.new)
        found.append(Change(update, paths, is_rewrite))
    return found


def changed_paths(repository: Path, old: str, new: str) -> tuple[str, ...]:
    """Return the protected paths that differ; `old` may be the id of no commit."""
    output = git(
        repository,
        "diff-tree", "-r", "-z", "--no-renames", "--name-only", "--no-ext-diff",
        _EMPTY_TREE if old == ABSENT else old, new, "--", *PROTECTED,
        quarantine=True,
        environment={"GIT_NO_REPLACE_OBJECTS": "1", "GIT_LITERAL_PATHSPECS": "1"},
    )  # fmt: skip
    return tuple(path for path in output.decode("utf-8", "backslashreplace").split("\0") if path)


def _is_ancestor(repository: Path, old: str, new: str) -> bool:
    return attempt(repository, "merge-base", "--is-ancestor", old, new, quarantine=True)[0] == 0


def _propose(hub: Hub, project: str, actor: Actor, change: Change) -> str:
    from lockgate.hub.pushing.proposing import open_proposal  # noqa: PLC0415  (libgit2: only a refused push waits)

    return open_proposal(hub, project, actor.name, change)


def record_denial(book: MemberBook, project: str, name: str, action: Action, error: UserError) -> None:
    """Append `action.refused` to a project's chain: a member asked for what they may not do there."""
    title = f"Refused: {error.message}"
    _record(book, project, name, "action.refused", title, error, None, {"action": action})


def record_refusal(
    book: MemberBook, project: str, name: str, pushed: Sequence[str], error: UserError
) -> None:
    """Append `push.refused` to a project's chain; `pushed` are the refs, where that far it came."""
    title = f"A push of {name} was refused: {error.message}"
    ref = pushed[0] if len(pushed) == 1 else None
    _record(book, project, name, "push.refused", title, error, ref, {"refs": list(pushed[:100])})


def _record(
    book: MemberBook,
    project: str,
    name: str,
    kind: str,
    title: str,
    error: UserError,
    ref: str | None,
    about: Mapping[str, object],
) -> None:
    from lockgate.hub.members.changes import record  # noqa: PLC0415  (libgit2: only a refusal waits)

    member = book.find(name)
    record(
        book.hub,
        project,
        kind=kind,
        by=member.name if member else "hub",
        email=member.email if member else "",
        title=title,
        ref=ref,
        evidence={"member": name, "code": error.code, "cause": error.message, **about},
    )
