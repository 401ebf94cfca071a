"""Back to an earlier state on the hub itself: a new commit on a branch, or a new branch from there."""

from __future__ import annotations

import re
import time

from lockgate.errors import UserError
from lockgate.git.objects import Repository
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub
from lockgate.hub.members.values import Actor
from lockgate.hub.push import ABSENT, Options
from lockgate.hub.pushing.own_push import Moved, move
from lockgate.hub.worktree.history import SEARCHED, entries
from lockgate.hub.worktree.remembering import journal_state
from lockgate.hub.worktree.rollback import State, find_state


def state_on_hub(hub: Hub, project: str, text: str) -> State:
    """Return the state meant by the end of a run's id, or the beginning of an activity's or executed cell's.

    Of a cell in a journal it is the work tree as it ran, which came with the journal.
    Raises `UserError`: `run-unknown`, `run-ambiguous`, `activity-no-state`.
    """
    repository = hub.require_project(project)
    state = journal_state(repository, text) or find_state(entries(repository, SEARCHED), text)
    code, _, _ = attempt(repository, "cat-file", "-e", f"{state.commit}^{{commit}}")
    if re.fullmatch(r"[0-9a-f]{40}", state.commit) is None or code != 0:
        raise UserError(
            f"the commit of {state.title} is not there", "Choose another one.", code="activity-no-state"
        )
    return state


def back_to(hub: Hub, project: str, branch: str, text: str, actor: Actor, email: str) -> Moved:
    """Put a commit onto a branch whose tree is that of an earlier state; what it starts is a run as any.

    Raises `UserError`: `commit-unknown`, `nothing-to-change`, `ref-conflict`, those of `state_on_hub`, and
    what a push of it is refused with.
    """
    state = state_on_hub(hub, project, text)
    repository = Repository(hub.require_project(project))
    ref = _branch(repository, branch)
    tip = repository.read_ref(ref)
    if tip is None:
        raise UserError(f"there is no branch {branch}", "Name one that is there.", code="commit-unknown")
    tree = repository.tree_of(state.commit)
    if tree == repository.tree_of(tip):
        raise UserError(
            f"{branch} is as {state.title} left it: there is nothing to change",
            "Choose another state.",
            code="nothing-to-change",
        )
    author = (actor.name, email, int(time.time()))
    message = f"Roll back to {state.title}\n\nLockgate-Rollback: {state.trailer}\n"
    commit = repository.commit(tree, [tip], message, author=author)
    return move(hub, project, commit, ref, tip, actor, Options())


def branch_from(hub: Hub, project: str, branch: str, text: str, actor: Actor) -> Moved:
    """Make a new branch that begins at an earlier state; nothing runs.

    Raises `UserError`: `ref-name`, `ref-conflict`, those of `state_on_hub`, and what a push is refused with.
    """
    state = state_on_hub(hub, project, text)
    repository = Repository(hub.require_project(project))
    ref = _branch(repository, branch)
    if repository.read_ref(ref) is not None:
        raise UserError(f"there is a branch {branch} already", "Choose another name.", code="ref-conflict")
    return move(hub, project, state.commit, ref, ABSENT, actor, Options(is_skip=True))


def _branch(repository: Repository, name: str) -> str:
    if name.startswith("-"):
        raise UserError(
            f"{name!r} is no name for a branch", "See `git help check-ref-format`.", code="ref-name"
        )
    repository.check_ref_name(f"refs/heads/{name}")
    return f"refs/heads/{name}"
