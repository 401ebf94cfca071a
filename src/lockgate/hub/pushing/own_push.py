"""Moving a ref on the hub for a member who asked over HTTP: a push of the repository to itself.

So the hooks judge it as any other push, with the same rules, receipts and runs.
"""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.program import attempt, clean_environment
from lockgate.git.revision import first_commit
from lockgate.hub.directory import Hub
from lockgate.hub.members.acting import MEMBER, PROJECTS, SCOPE, environment_of
from lockgate.hub.members.slug import member_slug
from lockgate.hub.members.values import Actor
from lockgate.hub.push import ABSENT, SNAPSHOTS, Options
from lockgate.hub.worktree.sending import Receipt, hear, refusal
from lockgate.runs.runid import new_run_id


class Moved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ref now is at this commit; `run`: what that started, `lines`: its plan and forecast."""

    ref: str
    commit: str
    run: str | None = None
    lines: tuple[str, ...] = ()


def start_run(hub: Hub, project: str, commit: str, actor: Actor, options: Options) -> Moved:
    """Run a commit the project has; no branch moves. Raises what a push of it is refused with."""
    ref = f"{SNAPSHOTS}{member_slug(actor.name)}/{new_run_id()}"
    return move(hub, project, commit, ref, ABSENT, actor, options)


def move(
    hub: Hub, project: str, commit: str, ref: str, expected: str, actor: Actor, options: Options
) -> Moved:
    """Move a ref from `expected` (forty zeros: it is not there) to a commit of the project.

    Raises `UserError`: `ref-conflict` where it is elsewhere, and what the push is refused with.
    """
    repository = hub.require_project(project)
    environment = clean_environment() | {"GIT_CONFIG_NOSYSTEM": "1"}
    for name in (MEMBER, SCOPE, PROJECTS):
        environment.pop(name, None)
    environment |= environment_of(actor)
    words = ["git", "-C", str(repository), "push", "--quiet", "--no-verify"]
    words += [f"--force-with-lease={ref}:{'' if expected == ABSENT else expected}"]
    words += [
        word for each in msgspec.structs.replace(options, is_json=True).words() for word in ("-o", each)
    ]
    words += [str(repository), f"{commit}:{ref}"]
    said: list[str] = []
    receipt: Receipt | None = None
    pushing = hear(words, environment, said, hub.root)
    while True:
        try:
            told = next(pushing)
        except StopIteration as end:
            code = end.value
            break
        receipt = told if isinstance(told, Receipt) else receipt
    # With options, but nothing to send, git may be ended by SIGPIPE before it says why: it hands them to a
    # receive-pack that is over. Then the ref is there already, or is not where it was expected.
    is_unsent = code == -signal.SIGPIPE
    if is_unsent and _is_at(repository, ref, commit):
        return Moved(ref, commit, None, ())
    if code != 0:
        if is_unsent or any("stale info" in line or "already exists" in line for line in said):
            raise UserError(
                f"{ref} is not where it was thought to be",
                "Look at it again, then decide.",
                code="ref-conflict",
            )
        raise refusal(said)
    return Moved(ref, commit, receipt.run if receipt else None, receipt.lines if receipt else ())


def _is_at(repository: Path, ref: str, commit: str) -> bool:
    code, output, _ = attempt(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
    return code == 0 and output.decode().strip() == commit


def commit_of(hub: Hub, project: str, text: str) -> str:
    """Return the commit that a branch, tag or whole id means, reachable or not.

    Raises `UserError` (`commit-unknown`).
    """
    repository = hub.require_project(project)
    is_hidden = text.startswith(("-", "refs/lockgate/", "lockgate/")) or "refs/lockgate" in text
    if text and not is_hidden and len(text) <= 300:
        found = first_commit(repository, f"refs/heads/{text}", f"refs/tags/{text}", text)
        if found is not None:
            return found
    raise UserError(
        f"the project has no branch or commit {text[:100]}",
        "Name a branch, a tag, or a commit's id.",
        code="commit-unknown",
    )
