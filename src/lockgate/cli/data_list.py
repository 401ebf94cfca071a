"""`lockgate data list`: the data of this project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table
from lockgate.project.quantities import counted, size_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.data.pointed import Pointed
    from lockgate.project.description import Description


@click.command("list")
@click.option("--rev", metavar="REV", help="As of another commit.")
@json_option
def command(rev: str | None, is_json: bool) -> None:
    """List the data of this project: what pointers stand for, and what lockgate.toml describes in git.

    \b
    Example:
      lockgate data list
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415

    clone = open_clone(os.curdir)
    if rev is None:
        from lockgate.data.catalogued import find_datasets  # noqa: PLC0415

        found = find_datasets(clone)
    else:
        from lockgate.data.catalogued import datasets_at  # noqa: PLC0415

        found = datasets_at(clone, rev)
    if is_json:
        keys = ("path", "file", "md5", "size_bytes", "file_count")
        print_json(
            [
                {**{key: getattr(each.output, key) for key in keys}, "description": each.description}
                for each in found
            ]
        )
        return
    if not found:
        echo("no data yet: lockgate data add PATH")
        return
    certified = _certified(Path(clone.root), [each.output for each in found])
    table(
        [
            _row(each.output, each.description, "certified" if each.output.path in certified else "")
            for each in found
        ]
    )


def _certified(root: Path, outputs: Sequence[Pointed]) -> set[str]:
    """Return the paths of certified versions by the clone's copy of the chain, without what git holds."""
    from lockgate.hub.datasets.catalogue import of_path, standing_now  # noqa: PLC0415
    from lockgate.hub.worktree.known_entries import known_certifications  # noqa: PLC0415

    said = known_certifications(root)
    return {each.path for each in outputs if standing_now(of_path(said, each.path), each.md5).is_certified}


def _row(output: Pointed, said: Description, standing: str) -> tuple[str, str, str, str, str]:
    return (
        output.path,
        "unknown" if output.size_bytes is None else size_words(output.size_bytes),
        "" if output.file_count is None else counted(output.file_count, "file"),
        standing,
        (said.text.splitlines() or [""])[0][:80],
    )
