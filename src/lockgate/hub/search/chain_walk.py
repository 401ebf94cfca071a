"""What is new on a chain of entries since its mark: going back from its tip, entry by entry."""

from __future__ import annotations

from lockgate.activity.chain import REF
from lockgate.errors import OutsideError
from lockgate.git.batch import Batch
from lockgate.git.contents import AS_WRITTEN, Content
from lockgate.git.program import attempt, git
from lockgate.git.trees import parents_of

#: So many new entries are found by going from one to the one before; more by a process of git.
_FEW = 200


def new_entries(batch: Batch, tip: str | None, ref: str = REF) -> list[str] | None:
    """Return the entries after `tip`, oldest first; None where the chain does not continue it.

    Raises `OutsideError` (`git-failed`).
    """
    repository = batch.repository
    newest = batch.read(ref)
    current = newest.id if newest is not None else tip_of(batch, ref)
    if not current:
        return [] if tip is None else None
    if current == tip:
        return []
    if tip is not None and (few := _walked(batch, newest, tip)) is not None:
        return few
    asked = [current] if tip is None else [current, f"^{tip}"]
    code, output, error = attempt(
        repository, "rev-list", "--first-parent", "--reverse", *asked, "--", environment=AS_WRITTEN
    )
    if code != 0:
        if tip is not None and attempt(repository, "cat-file", "-e", tip)[0] != 0:
            return None
        words = error.decode("utf-8", "replace").strip()
        raise OutsideError(
            f"the activity chain of {repository} cannot be read: {words}",
            f"Run: git -C {repository} fsck",
            code="git-failed",
        )
    ids = output.decode().split()
    if tip is None:
        return ids
    if not ids:
        return None
    _, parent, _ = attempt(
        repository, "rev-parse", "--verify", "--quiet", f"{ids[0]}^", environment=AS_WRITTEN
    )
    return ids if parent.decode().strip() == tip else None


def tip_of(batch: Batch, ref: str) -> str:
    """Return what a ref names, nothing where it is not there: also where the object is missing."""
    return git(batch.repository, "for-each-ref", "--format=%(objectname)", ref).decode().strip()


def _walked(batch: Batch, newest: Content | None, tip: str) -> list[str] | None:
    """Return the entries after `tip` where they are few and it is among their ancestors, oldest first."""
    found: list[str] = []
    entry = newest
    while entry is not None and entry.kind == "commit" and len(found) < _FEW:
        found.append(entry.id)
        parents = parents_of(entry)
        if not parents:
            return None
        if parents[0] == tip:
            return found[::-1]
        entry = batch.read(parents[0])
    return None
