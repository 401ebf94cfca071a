"""By what somebody is told from another who is once given their name."""

from __future__ import annotations

import hashlib

from lockgate.hub.members.values import Member


def subject_of(member: Member) -> str:
    """Return who this is for ever: another member who is once given the name is somebody else."""
    return _digest(member.name, member.created_at, member.id)


def mark_of(member: Member) -> str:
    """Return a mark that changes with the member's password, and with the member behind a name.

    What was opened for a member (a session, a program's token) is good for as long as they have the mark that
    it began with: so a new password ends it, whichever way it came, and so does another member of the name.
    """
    return _digest(member.name, member.created_at, member.id, member.password or "")


def _digest(*facts: str) -> str:
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32]
