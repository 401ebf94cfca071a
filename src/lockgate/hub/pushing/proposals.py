"""Proposals: changes of the default branch that wait for a lead. List, look at, accept, decline."""

from __future__ import annotations

import time

import msgspec

from lockgate.activity.key import load_key
from lockgate.errors import OutsideError, UserError
from lockgate.git import refs
from lockgate.git.defaultbranch import default_branch
from lockgate.git.listing import FILE, Entry
from lockgate.git.merging import merge_trees
from lockgate.git.objects import EMPTY_TREE, Repository
from lockgate.git.program import attempt, git
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.instant import iso
from lockgate.hub.members.book import open_book
from lockgate.hub.members.changes import record
from lockgate.hub.members.rules import may, require
from lockgate.hub.members.values import Actor
from lockgate.hub.push import ABSENT, Options, Update, describe
from lockgate.hub.pushing.entitlement import changed_paths
from lockgate.hub.pushing.proposing import Kept, kept_proposals
from lockgate.hub.pushing.push_rules import listed
from lockgate.hub.pushing.receive import judge_push, queue_moved
from lockgate.hub.queue import ensure_dispatcher
from lockgate.project.pipeline import LOCK_FILE
from lockgate.runs.lockfile import read_lock, write_lock
from lockgate.runs.runid import made_at, short

#: So often an acceptance is begun anew when the branch moves meanwhile.
_ATTEMPTS = 5
_LONGEST_DIFFERENCE = 2_000_000


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One that nobody has decided yet."""

    id: str
    member: str
    ref: str
    commit: str
    onto: str
    """The default branch, as a full ref."""
    base: str | None
    """Where it left that branch; None: it has nothing in common with it."""
    subject: str
    """The first line of its newest commit."""
    paths: tuple[str, ...]
    """Protected ones that it changes."""
    opened_at: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    proposal: Proposal
    commit: str
    """Where the branch stands now."""
    runs: tuple[str, ...] = ()
    is_merge: bool = False


def list_proposals(hub: Hub, project: str) -> tuple[Proposal, ...]:
    """Return the open proposals of a project, oldest first. Raises `UserError` (`project-unknown`)."""
    repository = hub.require_project(project)
    return tuple(_proposal(hub, project, kept) for kept in kept_proposals(repository))


def find_proposal(hub: Hub, project: str, text: str) -> Proposal:
    """Return the open proposal meant by the end of its id.

    Raises `UserError`: `project-unknown`, `proposal-unknown`, `proposal-ambiguous`.
    """
    kept = kept_proposals(hub.require_project(project))
    ending = text.strip().upper()
    found = [each for each in kept if len(ending) >= 4 and each.id.endswith(ending)]
    if len(found) > 1:
        raise UserError(
            f"{text} could be several proposals", f"Write more of it: {', '.join(e.id for e in found)}",
            code="proposal-ambiguous",
        )  # fmt: skip
    if not found:
        open_ones = ", ".join(short(each.id) for each in kept) or "none"
        raise UserError(
            f"{project} has no open proposal {text}", f"Open: {open_ones}.", code="proposal-unknown"
        )
    return _proposal(hub, project, found[0])


def difference(hub: Hub, project: str, proposal: Proposal) -> str:
    """Return what it changes since it left the branch, as a patch."""
    repository = hub.repository(project)
    base = proposal.base or EMPTY_TREE
    output = git(
        repository, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--stat", "--patch",
        base, proposal.commit, "--",
    )  # fmt: skip
    text = output[:_LONGEST_DIFFERENCE].decode("utf-8", "replace")
    return text + ("\n… cut here\n" if len(output) > _LONGEST_DIFFERENCE else "")


def accept(hub: Hub, project: str, actor: Actor, text: str) -> Accepted:
    """Bring a proposal onto the default branch in the name of `actor`, and queue the run as a push does.

    Raises `UserError`: `not-allowed`, `proposal-unknown`, `proposal-conflict`, and those of planning;
    `OutsideError`: `branch-busy` (transient). Nothing is lost by any of them.
    """
    require(actor, "decide-proposal", project, open_book(hub).leads(project))
    proposal = find_proposal(hub, project, text)
    repository = Repository(hub.repository(project))
    for _ in range(_ATTEMPTS):
        tip = refs.read(repository, proposal.onto)
        commit = _joined(hub, repository, actor, proposal, tip)
        if commit == tip:
            runs: tuple[str, ...] = ()
            break
        update = Update(tip or ABSENT, commit, proposal.onto, "run")
        judge_push(hub, project, [update], Options(), actor.name)
        if refs.compare_and_swap(repository, proposal.onto, tip, commit):
            runs = _queue(hub, project, update)
            break
    else:
        raise OutsideError(
            f"{describe(proposal.onto)} moved while the proposal was brought onto it",
            "Try again.",
            code="branch-busy",
            is_transient=True,
        )
    is_merge = commit not in (proposal.commit, tip)
    evidence = {"proposal": proposal.id, "member": proposal.member, "proposed": proposal.commit}
    record(
        hub,
        project,
        kind="proposal.accepted",
        by=actor.name,
        title=f"{actor.name} accepted proposal {short(proposal.id)} of {proposal.member}: {proposal.subject}",
        ref=proposal.onto,
        commit=commit,
        evidence=evidence | {"is_merge": is_merge},
        keep=[commit],
    )
    refs.delete(repository, proposal.ref, proposal.commit)
    return Accepted(proposal=proposal, commit=commit, runs=runs, is_merge=is_merge)


def decline(hub: Hub, project: str, actor: Actor, text: str, reason: str = "") -> Proposal:
    """Close a proposal: a lead declines it, or its member takes it back. The chain keeps its commits.

    Raises `UserError`: `not-allowed`, `proposal-unknown`.
    """
    proposal = find_proposal(hub, project, text)
    is_own = actor.name == proposal.member and may(actor, "propose", project)
    if not is_own:
        require(actor, "decide-proposal", project, open_book(hub).leads(project))
    verb = "took back" if is_own else "declined"
    of = "" if is_own else f" of {proposal.member}"
    evidence = {"proposal": proposal.id, "member": proposal.member, "reason": reason[:2000]}
    record(
        hub,
        project,
        kind="proposal.declined",
        by=actor.name,
        title=f"{actor.name} {verb} proposal {short(proposal.id)}{of}{': ' if reason else ''}{reason[:200]}",
        ref=proposal.ref,
        commit=proposal.commit,
        evidence=evidence,
        keep=[proposal.commit],
    )
    refs.delete(Repository(hub.repository(project)), proposal.ref, proposal.commit)
    return proposal


def _proposal(hub: Hub, project: str, kept: Kept) -> Proposal:
    repository = hub.repository(project)
    onto = default_branch(repository)
    code, output, _ = attempt(repository, "merge-base", onto, kept.commit)
    base = output.decode().split()[0] if code == 0 and output.strip() else None
    subject = git(repository, "log", "-1", "--format=%s", kept.commit).decode("utf-8", "replace").strip()
    return Proposal(
        id=kept.id,
        member=kept.member,
        ref=kept.ref,
        commit=kept.commit,
        onto=onto,
        base=base,
        subject=subject,
        paths=changed_paths(repository, base or ABSENT, kept.commit),
        opened_at=iso(made_at(kept.id)),
    )


def _joined(hub: Hub, repository: Repository, actor: Actor, proposal: Proposal, tip: str | None) -> str:
    """Return the commit that has both the branch and the proposal in it."""
    if tip is None or repository.is_ancestor(tip, proposal.commit):
        return proposal.commit
    if repository.is_ancestor(proposal.commit, tip):
        return tip
    if proposal.base is None:
        raise _conflict(proposal, "it has no history in common with the branch")
    merged = merge_trees(repository.path, tip, proposal.commit)
    tree, conflicts = merged.tree, [path for path in merged.conflicts if path != LOCK_FILE]
    if conflicts:
        raise _conflict(proposal, f"both changed {listed(conflicts)}")
    if merged.conflicts:
        put = {LOCK_FILE: Entry(FILE, repository.write_blob(_lock(repository, tip, proposal.commit)))}
        tree = repository.edit_tree(tree, put)
    now = int(time.time())
    member = open_book(hub).find(actor.name)
    message = (
        f"Merge proposal {short(proposal.id)} of {proposal.member}: {proposal.subject}\n\n"
        f"Lockgate-Proposal: {proposal.id}\n"
    )
    return repository.commit(
        tree,
        [tip, proposal.commit],
        message,
        author=(actor.name, member.email if member else "", now),
        committer=("Lockgate hub", "hub@localhost", now),
        signature=load_key(hub.key).sign,
    )


def _lock(repository: Repository, tip: str, commit: str) -> bytes:
    """Both sides' records; of one stage, the branch's, which the hub wrote."""
    records = {}
    for side in (commit, tip):
        entry = repository.entry_of(repository.tree_of(side), LOCK_FILE)
        if entry is not None:
            records.update(read_lock(repository.read_blob(entry.id)))
    return write_lock([*records.values()])


def _conflict(proposal: Proposal, why: str) -> UserError:
    branch = describe(proposal.onto)
    return UserError(
        f"proposal {short(proposal.id)} cannot be brought onto {branch} by itself: {why}",
        f"Merge it by hand and push: git fetch hub {proposal.ref} && git merge FETCH_HEAD; or ask"
        f" {proposal.member} to push it anew on top of {branch}.",
        code="proposal-conflict",
    )


def _queue(hub: Hub, project: str, update: Update) -> tuple[str, ...]:
    index = Index(hub.index)
    rows = queue_moved(hub, index, project, {(update.ref, update.new)})
    index.close()
    if rows:
        ensure_dispatcher(hub)
    return tuple(row.request.id for row in rows)
