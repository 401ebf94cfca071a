"""Which updates of a member's push may pass, given what they touch. Who may do what is `members.rules`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.rules import may
from lockgate.hub.members.values import Actor
from lockgate.hub.push import ABSENT, JOURNALS, SNAPSHOTS, Update, describe

#: What a lead decides on the default branch, for all who work on it.
PROTECTED = ("lockgate.toml", "environments", "kernels", ".dvc/config")

_PUSHED = ("refs/heads/", "refs/tags/", "refs/notes/", SNAPSHOTS, JOURNALS)


class Change(msgspec.Struct, frozen=True):
    """An update of the default branch, and what it does there."""

    update: Update
    paths: tuple[str, ...] = ()
    """Protected ones that it changes."""
    is_rewrite: bool = False
    """It leaves commits of the branch behind."""


def default_updates(updates: Sequence[Update], default: str, is_born: bool) -> list[Update]:
    """Return the updates of the default branch; before there is one, any branch may become it."""
    if is_born:
        return [update for update in updates if update.ref == default]
    return [update for update in updates if update.ref.startswith("refs/heads/")]


def require_refs(updates: Sequence[Update]) -> None:
    """Refuse refs that members have no use for: `refs/replace/` would put other files in a commit's place.

    Raises `UserError` (`ref-reserved`).
    """
    for update in updates:
        if not update.ref.startswith(_PUSHED):
            raise UserError(
                f"{update.ref} is not for members to write",
                "Push branches, tags and notes.",
                code="ref-reserved",
            )


def require_own_journals(updates: Sequence[Update], names: Sequence[str]) -> None:
    """Refuse journals under another member's name. `names`: what the member goes by in refs.

    Raises `UserError` (`journal-foreign`).
    """
    for update in updates:
        owner = update.ref.removeprefix(JOURNALS).partition("/")[0]
        if update.ref.startswith(JOURNALS) and owner not in names:
            raise UserError(
                f"{update.ref} is the journal of {owner}, not yours",
                f"Yours begins with {JOURNALS}{names[0]}/: git's user.email must be the one the hub knows."
                if names
                else "Somebody else goes by the same name in refs: ask the hub's owner for another address.",
                code="journal-foreign",
            )


def require_history(actor: Actor, project: str, change: Change, leads: Sequence[str]) -> None:
    """Refuse to delete or rewrite the default branch to whom may not.

    Raises `UserError` (`default-branch-protected`).
    """
    is_gone = change.update.new == ABSENT
    if (is_gone or change.is_rewrite) and not may(actor, "rewrite-default", project):
        raise UserError(
            f"{describe(change.update.ref)} may be {'deleted' if is_gone else 'rewritten'} by a lead only"
            f"{named(leads)}",
            "Take the branch as it is on the hub first: git pull --rebase hub " + describe(change.update.ref),
            code="default-branch-protected",
        )


def must_be_proposed(actor: Actor, project: str, change: Change) -> bool:
    """Return whether an update changes what only others may change there."""
    return bool(change.paths) and not may(actor, "change-settings", project)


def protected_error(change: Change, leads: Sequence[str], proposal: str | None) -> UserError:
    """The refusal of a change that only a lead may make; `proposal`: the one that was opened with it."""
    branch = describe(change.update.ref)
    opened = f": a proposal was opened: {proposal}" if proposal else ""
    hint = "or push to a branch of your own: git push hub HEAD:NAME"
    ask = f"A lead decides: lockgate hub proposal accept {proposal}; " if proposal else "Ask a lead, "
    return UserError(
        f"{listed(change.paths)} may be changed on {branch} by a lead only{named(leads)}{opened}",
        ask + hint,
        code="settings-protected",
    )


def listed(paths: Sequence[str], most: int = 3) -> str:
    """Return paths as a sentence has them: the first few, and how many more."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more


def named(leads: Sequence[str]) -> str:
    return f" ({listed(leads, 5)})" if leads else ""
