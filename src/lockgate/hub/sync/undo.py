"""Taking the last sync or merge back: files, branch, index as before; what was pushed, by another commit."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.git.history import is_ancestor, title
from lockgate.git.merging import merge_trees
from lockgate.git.program import git
from lockgate.git.worktree import commit_tree
from lockgate.hub.notebooks.pairing import bring_into_step
from lockgate.hub.sync import journal as journals
from lockgate.hub.sync import moving, reaching
from lockgate.hub.sync.journal import Journal, What, shown


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back."""

    branch: str
    commit: str | None
    changed: tuple[str, ...]
    """Files that are as before again."""
    on_hub: str = ""
    """What became of what had been pushed, in words; empty: nothing had."""


def undo(root: Path, what: What | None = None) -> Undone:
    """Put everything back as it was before the last sync or merge; with `what`, only where it was that.

    What it pushed stays in the hub's history; a commit after it takes its changes back there. Raises
    `UserError`: `nothing-to-undo`, `moved-since-sync`, `edited-since-sync`, `sync-under-way`.
    """
    with journals.turn(root) as folder:
        journal = journals.read(folder)
        if journal is None:
            raise UserError(
                f"there is no {what or 'sync'} to undo",
                "Only the last one of this folder can be.",
                code="nothing-to-undo",
            )
        if what not in (None, journal.what):
            raise UserError(
                f"there is no {what} to undo: the last one was a {journal.what}",
                f"Undo that first: lockgate {journal.what} --undo",
                code="nothing-to-undo",
            )
        moving.require_unmoved(root, journal)
        edited = moving.edited_since(root, journal) if journal.state == "moved" else []
        if edited:
            raise UserError(
                f"edited since the {journal.what}, and the undo would lose that: {', '.join(edited[:3])}"
                + (" …" if len(edited) > 3 else ""),
                "Copy what you want to keep, put the file back (git restore FILE), then undo.",
                code="edited-since-sync",
            )
        left = moving.edited_since(root, journal)
        moving.put_back(root, folder, journal, left)
        bring_into_step(root)
        return Undone(
            branch=journal.branch.removeprefix("refs/heads/"),
            commit=journal.head,
            changed=shown(journal, left),
            on_hub=_taken_back(root, journal) if journal.pushed else "",
        )


def _taken_back(root: Path, journal: Journal) -> str:
    """Push a commit that takes the pushed changes back, on top of whatever the hub's branch is by now."""
    branch, pushed = journal.branch.removeprefix("refs/heads/"), journal.pushed or ""
    if journal.theirs is None:
        return (
            f"The hub keeps its new branch {branch}, as it was pushed. To remove it: git push hub :{branch}"
        )
    still = f"The hub still has what was pushed ({pushed[:10]})"
    try:
        reaching.fetch(root)
        tip = reaching.tracked(root, branch)
        if tip is None or not is_ancestor(root, pushed, tip):
            return f"The hub's {branch} was changed by others meanwhile; nothing was taken back there."
        earlier = git(root, "rev-parse", f"{journal.theirs}^{{tree}}").decode().strip()
        message = f'Undo "{title(root, pushed)}"\n\nThis takes back what was pushed as {pushed}.\n'
        inverse = commit_tree(root, earlier, pushed, message)
        found = merge_trees(root, tip, inverse)
        if found.conflicts:
            return f"{still}: others have built on {', '.join(found.conflicts[:3])}."
        reverted = inverse if tip == pushed else commit_tree(root, found.tree, tip, message)
        if reaching.push(root, reverted, branch).is_behind:
            return f"{still}: somebody pushed at this moment. Undo it there: git revert."
    except LockgateError as error:
        return f"{still}: {error.message}."
    return f"On the hub a new commit ({reverted[:10]}) takes back what was pushed."
