"""`lockgate import`: a project from a file that was given away."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.runs.runid import short


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--key",
    metavar="SHA256:…",
    help="Take it only if its record is signed by this hub's key, as its sender told you.",
)
@json_option
def command(file: Path, folder: Path | None, key: str | None, is_json: bool) -> None:
    """Make a project of a file that `lockgate export` wrote: a clone and its place on your own hub.

    Everything in the file is checked before it is used: each object by its digest, each entry of the record
    by its signature. Ask the sender for the key's fingerprint by another way, and give it with --key.

    \b
    Examples:
      lockgate import flights-8f3kq2zd.crate.zip
      lockgate import result.zip flights --key SHA256:2Zk…
    """
    from lockgate.hub.giving.importing import import_crate  # noqa: PLC0415

    done = import_crate(file, folder, Path.cwd(), key)
    if is_json:
        print_json(done)
        return
    echo(
        f"{done.root}: project {done.project} with run {short(done.run)}"
        + ("" if done.is_new else ", there already")
    )
    echo(f"{done.entry_count} entries of the record, all signed by the hub's key {done.hub_key}")
    if key is None:
        echo("Ask the sender whether that is their hub's key: anybody can sign with one of their own.")
    if done.missing:
        echo(f"{len(done.missing)} objects are not in the file, {done.missing[0].name} for one;"
             f" they are at {done.missing[0].remote or 'no remote'}")  # fmt: skip
    echo()
    echo(f"Next: cd {done.root}; lockgate run")
