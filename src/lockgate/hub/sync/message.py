"""What a sync's commit says: in words, from what changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.git.worktree import Changes

#: Git's own advice for a first line (git-commit(1), Discussion).
_TITLE_LENGTH = 72
_LISTED = 30


def message_of(changes: Changes) -> str:
    """Return a title of what is changed, added and removed, and below it every path where there are many."""
    groups = (("Change", changes.changed), ("Add", changes.untracked), ("Remove", changes.deleted))
    told = [(verb, sorted(paths)) for verb, paths in groups if paths]
    if not told:
        return "Sync\n"
    title = "; ".join(
        f"{verb if n == 0 else verb.lower()} {_named(paths)}" for n, (verb, paths) in enumerate(told)
    )
    total = sum(len(paths) for _, paths in told)
    if len(title) > _TITLE_LENGTH:
        title = "; ".join(
            f"{verb if n == 0 else verb.lower()} {_counted(paths)}" for n, (verb, paths) in enumerate(told)
        )
    if total == 1 or (total <= 3 and all(path in title for _, paths in told for path in paths)):
        return f"{_plain(title)}\n"
    lines = [f"{verb.lower()} {_plain(path)}" for verb, paths in told for path in paths]
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join([_plain(title), "", *lines[:_LISTED], *more, ""])


def _named(paths: Sequence[str]) -> str:
    if len(paths) > 3:
        return _counted(paths)
    names = [path.rpartition("/")[2] if len(path) > 40 else path for path in paths]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _counted(paths: Sequence[str]) -> str:
    return f"{len(paths)} files" if len(paths) > 1 else "1 file"


def _plain(text: str) -> str:
    """A path may hold anything but a zero byte; a message's line no line break."""
    return "".join(each if each.isprintable() else "?" for each in text)
