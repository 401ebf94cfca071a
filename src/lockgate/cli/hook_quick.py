"""`lockgate hook` without the packages that read options: every commit and every push waits for it.

A mistake is left to the command itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lockgate.git.worktree import find_root


def quick(arguments: Sequence[str]) -> int | None:
    """Do it and return the exit code; None: it is not so simple."""
    match arguments:
        case ["pre-commit", *rest] if not any(word.startswith("-") for word in rest):
            check()
        case ["pre-push", remote, url] if not remote.startswith("-") and not url.startswith("-"):
            send(remote, url)
        case _:
            return None
    return 0


def check() -> None:
    """Stop a commit that adds what git may not hold. Raises what `check_commit` does."""
    from lockgate.hub.worktree.commit_check import check_commit  # noqa: PLC0415

    check_commit(find_root(Path.cwd()))


def send(remote: str, url: str) -> None:
    """Send the data of what is pushed, and say how much it was."""
    from lockgate.hub.exchanging.sending_pushed import send_pushed  # noqa: PLC0415

    sent = send_pushed(find_root(Path.cwd()), remote, url, sys.stdin.read().splitlines())
    if sent.count:
        from lockgate.cli.output import printable  # noqa: PLC0415

        sys.stderr.write(printable(sent.words) + "\n")
