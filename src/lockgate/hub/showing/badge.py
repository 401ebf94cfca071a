"""What a badge says of a run or a project, and the key by which somebody may see it without a login."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from lockgate.activity.key import load_key
from lockgate.data.writing import write_whole
from lockgate.errors import LockgateError, OutsideError
from lockgate.git.defaultbranch import default_branch
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.members.changes import record
from lockgate.hub.members.values import Actor
from lockgate.verify.report import Verdict, Verification, in_words

#: So many of a project's verifications are looked at for one of the default branch.
_LOOKED_AT = 200


class Badge(msgspec.Struct, frozen=True):
    verdict: Verdict | None
    """None: nothing was verified yet."""
    words: str


def badge_key(hub: Hub, project: str) -> str:
    """Return the key to a project's badges: nobody guesses it, and it opens nothing else.

    It is made of the hub's signature, which is the same each time (ed25519, RFC 8032, 5.1.6), until the
    project's keys are renewed. Raises what `load_key` does, and `OutsideError` (`hub-unreadable`).
    """
    signed = load_key(hub.key).sign(f"lockgate badge of {project}{_turn(hub, project)}".encode())
    return hashlib.sha256(signed.encode()).hexdigest()[:32]


def is_badge_key(given: str, hub: Hub, project: str) -> bool:
    """Return whether this is the key; the time it takes tells nothing. One that cannot be known is none."""
    try:
        wanted = badge_key(hub, project)
    except LockgateError:
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def renew_badges(hub: Hub, project: str, actor: Actor) -> None:
    """Give a project's badges a new key; who has the old one sees nothing more. The chain tells who did it.

    Raises `OutsideError` (`hub-unwritable`), and what `record` does.
    """
    place = _turn_file(hub, project)
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(os.fspath(place), f" {secrets.token_hex(16)}".encode())
    except OSError as error:
        raise OutsideError(
            f"{place} cannot be written: {error.strerror or error}",
            "Look at the disk and the rights of the hub's folder.",
            code="hub-unwritable",
            is_transient=True,
        ) from error
    title = f"{actor.name} renewed the key of the badges"
    record(hub, project, kind="badge.renewed", by=actor.name, title=title)


def _turn_file(hub: Hub, project: str) -> Path:
    return hub.root / "badges" / project


def _turn(hub: Hub, project: str) -> str:
    """Return what the newest renewal put behind the name; nothing where there was none."""
    place = _turn_file(hub, project)
    try:
        return place.read_text("ascii")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        # A key that was taken back must not come back because its file cannot be read
        raise OutsideError(
            f"{place} cannot be read: {error}",
            "Look at the rights of the hub's folder, or renew the badges' key in the project's settings.",
            code="hub-unreadable",
        ) from error


def run_badge(hub: Hub, project: str, run: str) -> Badge:
    """Return what the newest verification of a run found.

    Raises `UserError`: `run-unknown`, `run-ambiguous`.
    """
    index = Index(hub.index, is_read_only=True)
    try:
        found = index.verifications(project, find_run(index, project, run).request.id)
    finally:
        index.close()
    return _badge(found[0]) if found else Badge(None, "not verified")


def project_badge(hub: Hub, project: str) -> Badge:
    """Return what the newest verification of a whole run of the default branch found, and at which commit."""
    index = Index(hub.index, is_read_only=True)
    branch = default_branch(hub.repository(project))
    try:
        for found in index.newest_verifications(project, _LOOKED_AT):
            row = index.run(found.run) if found.is_whole else None
            if row is not None and row.request.ref == branch:
                badge = _badge(found)
                return Badge(badge.verdict, f"{badge.words} at {found.commit[:7]}")
    finally:
        index.close()
    return Badge(None, "not verified")


def _badge(found: Verification) -> Badge:
    return Badge(found.verdict, in_words(found.verdict))
