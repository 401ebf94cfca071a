"""The journal of this clone: what was executed here, with the work tree at that moment, and its syncs."""

from __future__ import annotations

import getpass
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.activity.entry import Activity
from lockgate.activity.execution import Execution, entry_of
from lockgate.activity.journal import REFS, SYNCED, Entry, append, journals_in
from lockgate.errors import LockgateError, OutsideError
from lockgate.git.program import attempt, git
from lockgate.git.worktree import git_dir_of, head, member_here, snapshot
from lockgate.hub.instant import iso
from lockgate.hub.members.slug import member_slug
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.worktree.large_files import swaps_for

_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


class Exchanged(msgspec.Struct, frozen=True):
    """Journals as they were sent or brought, by ref."""

    journals: tuple[str, ...]


class Journal:
    """Writes the journal of one clone. Not for sharing between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        #: The last one, and its parents and tree: one that has the same is the same
        self._snapshot: tuple[str, str] | None = None

    def note(self, executions: Sequence[Execution], secrets: Sequence[str]) -> list[str]:
        """Append what was executed, the oldest first; return the entries' ids.

        Where no snapshot can be made, as in the midst of a merge, the entries stand without one.
        Raises `OutsideError`: `git-failed`, `journal-busy`, `ref-locked`.
        """
        from lockgate.git.objects import Repository  # noqa: PLC0415  (libgit2 costs the server's start 70 ms)

        by = member_here(self.root) or getpass.getuser()
        state = self._state()
        branch, _ = head(self.root)
        ref = f"refs/heads/{branch}" if branch else None
        made = [entry_of(replace(done, ref=ref), by, state, secrets) for done in executions]
        entries = [Entry(activity, files, (state,) if state else ()) for activity, files in made]
        author = (by, by if "@" in by else "", int(time.time()))
        return append(Repository(self.root), journal_ref(self.root), entries, author)

    def note_sync(self, title: str, branch: str, commit: str | None, evidence: dict[str, object]) -> None:
        """Append that a sync has brought or sent something. Raises as `note`."""
        from lockgate.git.objects import Repository  # noqa: PLC0415

        by = member_here(self.root) or getpass.getuser()
        at = int(time.time())
        activity = Activity(
            kind=SYNCED, at=iso(at), by=by, title=title, ref=f"refs/heads/{branch}", commit=commit,
            evidence=evidence,
        )  # fmt: skip
        author = (by, by if "@" in by else "", at)
        append(Repository(self.root), journal_ref(self.root), [Entry(activity, {})], author)

    def _state(self) -> str | None:
        """Return the commit of the work tree as it is; where nothing changed, the one from before."""
        try:
            commit = snapshot(
                self.root, "The work tree as a cell ran", lambda changes: swaps_for(self.root, changes)
            )
        except LockgateError:
            return None
        told = git(self.root, "log", "-1", "--format=%P %T", commit).decode().strip()
        if self._snapshot is not None and self._snapshot[1] == told:
            return self._snapshot[0]
        self._snapshot = (commit, told)
        return commit


def journal_ref(root: Path) -> str:
    """Return the ref of this clone's journal: by member, and by device."""
    return f"{REFS}{member_slug(member_here(root) or getpass.getuser())}/{device(root)}"


def device(root: Path) -> str:
    """Return this clone's name among a member's: the host and some letters, made once and kept in `.git`."""
    place = git_dir_of(root) / "lockgate" / "device"
    try:
        found = place.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if found and member_slug(found) == found:
        return found
    letters = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(6))
    host = re.sub(r"[^a-z0-9-]+", "-", os.uname().nodename.lower()).strip("-")[:40] or "host"
    draft = place.with_name(f"device.{os.getpid()}.{letters}")
    try:
        place.parent.mkdir(exist_ok=True)
        draft.write_text(f"{host}-{letters}\n", "utf-8")
        try:
            # Of two at once, the first one's stays
            os.link(draft, place)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return place.read_text("utf-8").strip()
    except OSError as error:
        raise OutsideError(
            f"{place} cannot be written: {error.strerror}", "Check the disk space and the owner of `.git`.",
            code="git-failed",
        ) from None  # fmt: skip


def push_journals(root: Path) -> Exchanged:
    """Send this member's journals to the hub; nothing of them leaves the clone before.

    Raises `OutsideError` (`push-failed`, transient) with what the hub said.
    """
    own = journal_ref(root)
    journals = [ref for ref in journals_in(root) if ref == own]
    if journals:
        words = ("push", "--quiet", "--no-verify", REMOTE, *(f"{ref}:{ref}" for ref in journals))
        _exchange(root, words)
    return Exchanged(tuple(journals))


def fetch_journals(root: Path) -> Exchanged:
    """Bring the others' journals from the hub; this clone's own is left alone.

    Raises `OutsideError` (`push-failed`, transient).
    """
    own = journal_ref(root)
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    _exchange(root, ("fetch", *options, REMOTE, f"+{REFS}*:{REFS}*", f"^{own}"))
    return Exchanged(tuple(ref for ref in journals_in(root) if ref != own))


def _exchange(root: Path, words: Sequence[str]) -> None:
    code, _, error = attempt(root, *words)
    if code != 0:
        said = [line for line in error.decode("utf-8", "replace").splitlines() if line.strip()]
        told = [line for line in said if line.startswith(("fatal:", "remote: lockgate:", "error:"))] or said
        raise OutsideError(
            f"the journal was not exchanged with the hub: {told[0] if told else 'git gave no reason'}",
            "Your journal is kept here; the next sync tries again.",
            code="push-failed",
            is_transient=True,
        )
