"""What a badge says of a run or a project, and the key by which somebody may see it without a login."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from lockgate.activity.key import Key
from lockgate.git.defaultbranch import default_branch
from lockgate.hub.directory import Hub
from lockgate.hub.index import Index
from lockgate.hub.queries import find_run
from lockgate.verify.report import Verdict, Verification, in_words

#: So many of a project's verifications are looked at for one of the default branch.
_LOOKED_AT = 200


class Badge(msgspec.Struct, frozen=True):
    verdict: Verdict | None
    """None: nothing was verified yet."""
    words: str


def badge_key(key: Key, project: str) -> str:
    """Return the key to a project's badges: nobody guesses it, and it opens nothing else.

    It is made of the hub's signature, which is the same each time (ed25519, RFC 8032, 5.1.6).
    """
    signed = key.sign(f"lockgate badge of {project}".encode())
    return hashlib.sha256(signed.encode()).hexdigest()[:32]


def is_badge_key(given: str, key: Key, project: str) -> bool:
    """Return whether this is the key; the time it takes tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), badge_key(key, project).encode())


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
