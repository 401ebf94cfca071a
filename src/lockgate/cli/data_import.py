"""`lockgate data import`: data of another project of the hub."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_progress import tell
from lockgate.cli.data_report import inside, write
from lockgate.cli.options import json_option
from lockgate.cli.output import print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockgate.hub.exchanging.data_importing import Taken


@click.command("import")
@click.argument("source", metavar="hub://PROJECT/PATH[@VERSION]")
@click.argument("path", required=False)
@click.option(
    "--update", "is_update", is_flag=True, help="Bring an import, named by its path here, up to date."
)
@click.option(
    "--version", "version", metavar="VERSION", help="With --update: follow this version from now on."
)
@json_option
def command(source: str, path: str | None, is_update: bool, version: str | None, is_json: bool) -> None:
    """Take a file or folder of another project of the hub, pinned to a commit: it stays as it is until you
    update it. VERSION is a tag, a branch, a commit or a run; left out, it is the default branch.

    A pointer in the form of `dvc import` stays in git. PATH is where it comes to; left out, here under its
    own name. You need to be a viewer, or more, of the other project.

    \b
    Example:
      lockgate data import hub://weather/data/stations.csv@v2
      lockgate data import --update stations.csv
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.dataset_name import parse_dataset_name  # noqa: PLC0415
    from lockgate.hub.exchanging.data_importing import import_dataset, update_import  # noqa: PLC0415
    from lockgate.hub.exchanging.hub_source import HubSource  # noqa: PLC0415

    clone, sources = open_clone(os.curdir), [HubSource(tell)]
    if is_update:
        if path is not None:
            raise click.UsageError("--update takes one path, that of the import here")
        taken = update_import(clone, inside(clone, [source])[0], version, sources)
    else:
        if version is not None:
            raise click.UsageError("--version goes with --update; else it stands in the name, behind @")
        name = parse_dataset_name(source)
        target = path if path is not None else name.path.rpartition("/")[2]
        taken = import_dataset(clone, name, inside(clone, [target])[0], sources)
    if is_json:
        print_json(taken)
    else:
        write(_lines(clone.root, taken))


def _lines(root: str, taken: Taken) -> list[str]:
    from lockgate.project.quantities import counted, size_words  # noqa: PLC0415

    pinned = f"{taken.source}, commit {taken.commit[:10]}"
    if taken.before == taken.md5:
        return [f"{taken.path}: nothing new at {pinned}"]
    what = f"{counted(taken.file_count, 'file')}, " if taken.file_count is not None else ""
    size = size_words(taken.size_bytes) if taken.size_bytes is not None else "size unknown"
    if taken.before is None:
        folder, name = os.path.split(f"{root}/{taken.pointer}")
        place = os.path.relpath(folder)
        return [
            f"{taken.path}: {what}{size} of {pinned} -> {taken.pointer}",
            f"commit it: git add {place}/{name} {place}/.gitignore",
        ]
    return [f"{taken.path}: {taken.before[:10]} -> {taken.md5[:10]}, {what}{size} of {pinned}"]
