"""What `lockgate data add`, `get` and `status` print. Imports nothing that takes time."""

from __future__ import annotations

import os
import sys

from lockgate.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockgate.data.add import Added
    from lockgate.data.clone import Clone
    from lockgate.data.get import Got
    from lockgate.data.status import Standing
    from lockgate.hub.exchanging.data_importing import Newer, Unasked

_NAMED_AT_MOST = 20


def inside(clone: Clone, paths: Iterable[str]) -> list[str]:
    """Return paths as typed (relative to where one is) as seen from the root.

    Raises `UserError` (`path-outside`).
    """
    here = os.path.realpath(os.curdir)
    found = []
    for path in paths:
        whole = os.path.normpath(os.path.join(here, path))
        if whole != clone.root and not whole.startswith(clone.root + "/"):
            raise UserError(
                f"{path} lies outside {clone.root}", "Name something inside the project.", code="path-outside"
            )
        found.append(whole[len(clone.root) + 1 :])
    return found


def write(lines: Sequence[str]) -> None:
    """Print lines; those that could steer a terminal take the slower way."""
    if all(line.isascii() and line.isprintable() for line in lines):
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return
    from lockgate.cli.output import echo  # noqa: PLC0415

    for line in lines:
        echo(line)


def added_lines(added: Sequence[Added]) -> list[str]:
    """Return what `lockgate data add` says: a line for each path."""
    from lockgate.project.quantities import counted, size_words  # noqa: PLC0415

    lines = []
    for each in added:
        what = f"{counted(each.file_count, 'file')}, " if each.is_folder else ""
        state = "" if each.is_changed else ", nothing new"
        lines.append(f"{each.path}: {what}{size_words(each.size_bytes)} -> {each.pointer}{state}")
    return lines


def got_lines(got: Sequence[Got]) -> list[str]:
    """Return what `lockgate data get` says of the outputs it was given."""
    from lockgate.project.quantities import counted  # noqa: PLC0415

    lines = []
    for each in got:
        words = []
        if each.placed:
            words.append(f"{counted(len(each.placed), 'file')} placed")
        if each.removed:
            words.append(f"{counted(len(each.removed), 'file')} removed")
        if words:
            lines.append(f"{each.output.path}: {', '.join(words)}")
        if each.kept:
            lines.append(f"{each.output.path}: {counted(len(each.kept), 'file')} of no version stay there")
    return lines or ["nothing to do: the data is as its pointers say"]


def standing_lines(standing: Sequence[Standing]) -> list[str]:
    """Return what `lockgate data status` says: what differs, with the first of its files."""
    if not standing:
        return ["no data yet: lockgate data add PATH"]
    differing = [each for each in standing if each.word != "unchanged"]
    if not differing:
        return ["the data is as its pointers say"]
    lines = []
    for each in differing:
        lines.append(f"{each.word}: {each.output.path}")
        named = [
            (word, path) for word in ("changed", "added", "removed") for path in getattr(each, word) if path
        ]
        lines += [f"  {word}: {path}" for word, path in named[:_NAMED_AT_MOST]]
        if len(named) > _NAMED_AT_MOST:
            lines.append(f"  … and {len(named) - _NAMED_AT_MOST} more")
    return lines


def newer_of(clone: Clone, standing: Sequence[Standing]) -> tuple[Sequence[Newer], Sequence[Unasked]]:
    """Ask the hub whether imports have something newer; where nothing is imported it is not asked."""
    imports = [each.output for each in standing if "rev_lock:" in each.output.text]
    if not imports:
        return (), ()
    from lockgate.hub.exchanging.data_importing import newer_versions  # noqa: PLC0415

    return newer_versions(clone, imports)


def newer_lines(newer: Sequence[Newer], unasked: Sequence[Unasked]) -> list[str]:
    """Return what `lockgate data status` says of imports."""
    lines = []
    for each in newer:
        lines.append(
            f"{each.path}: a newer version is there: {each.md5[:10]} at {each.version} (here: {each.source})"
        )
        more = "" if each.is_followed else f" --version {each.version}"
        lines.append(f"  take it: lockgate data import --update {each.path}{more}")
    return lines + [
        f"{one.path}: whether there is a newer version is not known: {one.reason}" for one in unasked
    ]
