"""What sshd is told of members' keys: lines of `authorized_keys` (sshd(8)), each with a forced command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.values import Member


def line_of(book: MemberBook, kind: str, blob: str) -> str | None:
    """Return the line for a key that sshd was shown; None: it is nobody's who is let in."""
    for member in book.members():
        for key in member.keys:
            if member.is_active and key.split()[:2] == [kind, blob]:
                return _line(book.hub, member, key)
    return None


def all_lines(book: MemberBook) -> Iterator[str]:
    """Yield the line of every key of every member who is let in."""
    for member in book.members():
        for key in member.keys if member.is_active else ():
            yield _line(book.hub, member, key)


def _line(hub: Hub, member: Member, key: str) -> str:
    command = shlex.join(
        [str(hub.root / "bin" / "lockgate"), "hub", "shell", "--member", member.name, "--hub", str(hub.root)]
    )
    if not command.isprintable():
        raise UserError(
            f"the hub's path cannot stand in authorized_keys: {str(hub.root)!r}",
            "Move the hub to a path without control characters, then: lockgate hub doctor --fix",
            code="hub-path-unusable",
        )
    # Between the quotes sshd takes a backslash for itself but before a quote
    quoted = command.replace('"', '\\"')
    return f'command="{quoted}",restrict {key}'
