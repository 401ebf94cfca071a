"""`lockgate export`: a run or a project as one file to give away."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import size_words
from lockgate.runs.runid import short

_NAMED_AT_MOST = 10


@click.command("export")
@click.argument("what", metavar="[RUN|PROJECT]", required=False)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write; without it, PROJECT-RUN.crate.zip here.",
)
@click.option("--pointers", "is_pointers", is_flag=True, help="Leave the store's bytes out; name them.")
@hub_options
@json_option
def command(
    what: str | None,
    target: Path | None,
    is_pointers: bool,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> None:
    """Write a run, or the whole project, into one file that works without this hub.

    The file is a zip, a Workflow Run RO-Crate: commits, signed record, artifacts, data, locked software,
    provenance as W3C PROV. `lockgate import FILE` makes a project of it that runs.

    \b
    Examples:
      lockgate export 8F3KQ2ZD
      lockgate export latest --pointers -o result.zip
      lockgate export
    """
    from lockgate.hub.giving.exporting import export  # noqa: PLC0415

    done = export(what, target, Path.cwd(), hub=hub, project=project, is_pointers=is_pointers)
    if is_json:
        print_json(done)
        return
    echo(f"{done.file}  {size_words(done.size_bytes)}")
    echo(f"run {short(done.run)} of {done.project}, signed by the hub's key {done.hub_key}")
    for each in done.left_out[:_NAMED_AT_MOST]:
        size = f"  {size_words(each.size_bytes)}" if each.size_bytes is not None else ""
        echo(f"not in it: {each.name}{size}  md5 {each.md5}  {each.remote or 'in no remote'}")
    if len(done.left_out) > _NAMED_AT_MOST:
        echo(f"… and {len(done.left_out) - _NAMED_AT_MOST} more")
