"""A member's name as part of a ref."""

from __future__ import annotations

import re


def member_slug(member: str) -> str:
    """Return a member's name or address in the characters that a ref may have; two may share one."""
    return re.sub(r"[^A-Za-z0-9_@+-]+|\.(?=\.|lock$|$)", "-", member).strip(".-") or "member"
