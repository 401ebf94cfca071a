"""Keeping a push that its member may not make as a proposal: its commits, a ref, an entry of the chain."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.git.program import QUARANTINE, clean_environment, git
from lockgate.git.refs import update_ref
from lockgate.hub.directory import Hub
from lockgate.hub.members.changes import record
from lockgate.hub.push import PROPOSALS, describe
from lockgate.hub.pushing.push_rules import Change, listed
from lockgate.runs.runid import is_run_id, new_run_id, short


class Kept(msgspec.Struct, frozen=True):
    """A proposal as its ref tells of it."""

    id: str
    member: str
    ref: str
    commit: str


def open_proposal(hub: Hub, project: str, member: str, change: Change) -> str:
    """Keep what a push under way wants of the default branch; return the proposal's short id.

    The same commit proposed again is the proposal that is there. Raises `OutsideError`: `git-failed`.
    """
    repository, commit = hub.repository(project), change.update.new
    for kept in kept_proposals(repository, member):
        if kept.commit == commit:
            return short(kept.id)
    _take_out_of_quarantine(repository, commit)
    proposal = new_run_id()
    ref = f"{PROPOSALS}{member}/{proposal}"
    update_ref(repository, ref, commit, None)
    branch = describe(change.update.ref)
    record(
        hub,
        project,
        kind="proposal.opened",
        by=member,
        title=f"{member} proposed to change {listed(change.paths)} on {branch}",
        ref=ref,
        commit=commit,
        evidence={"proposal": proposal, "onto": change.update.ref, "paths": list(change.paths[:1000])},
        keep=[commit],
    )
    return short(proposal)


def kept_proposals(repository: Path, member: str = "") -> list[Kept]:
    """Return the proposals nobody has decided yet, oldest first."""
    prefix = PROPOSALS + (f"{member}/" if member else "")
    output = git(repository, "for-each-ref", "--format=%(objectname) %(refname)", prefix)
    found = []
    for line in output.decode("utf-8", "replace").splitlines():
        commit, _, ref = line.partition(" ")
        name, _, proposal = ref.removeprefix(PROPOSALS).rpartition("/")
        if is_run_id(proposal):
            found.append(Kept(proposal, name, ref, commit))
    return sorted(found, key=lambda kept: kept.id)


def _take_out_of_quarantine(repository: Path, commit: str) -> None:
    """Bring a commit with all that is new in it into the repository proper.

    What a refused push brought is thrown away by git with its quarantine (git-receive-pack(1)); so it is
    packed as seen from inside, and unpacked as seen from outside.
    """
    inside, outside = clean_environment(QUARANTINE), clean_environment()
    there = sorted({*git(repository, "for-each-ref", "--format=%(objectname)").decode().split()})
    with (
        subprocess.Popen(
            ["git", "-C", os.fspath(repository), "pack-objects", "--revs", "--stdout", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=inside,
        ) as packing,
        subprocess.Popen(
            ["git", "-C", os.fspath(repository), "index-pack", "--stdin", "--fix-thin"],
            stdin=packing.stdout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=outside,
        ) as unpacking,
    ):
        assert packing.stdin is not None
        assert packing.stdout is not None
        packing.stdout.close()
        packing.stdin.write("\n".join([commit, "--not", *there, ""]).encode())
        packing.stdin.close()
        error = unpacking.communicate()[1].decode("utf-8", "replace").strip()
    if packing.returncode != 0 or unpacking.returncode != 0:
        last = error.splitlines()[-1] if error else f"exit code {packing.returncode or unpacking.returncode}"
        raise OutsideError(
            f"what was pushed could not be kept as a proposal: git index-pack: {last}",
            "Push to a branch of your own: git push hub HEAD:NAME",
            code="git-failed",
        )
