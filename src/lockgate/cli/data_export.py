"""`lockgate data export`: datasets for catalogues elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import ask_hub, hub_options

if TYPE_CHECKING:
    from lockgate.hub.datasets.published_form import Form


@click.command("export")
@click.argument("path", required=False)
@click.option(
    "--as",
    "form",
    type=click.Choice(["croissant", "dcat", "turtle"]),
    required=True,
    help="croissant: one dataset, for machine learning; dcat: for data portals, as JSON-LD; or as turtle.",
)
@click.option("--rev", metavar="REV", help="At another branch, tag or commit of the hub.")
@click.option("--address", metavar="URL", help="Where the hub is served, for the links in it.")
@hub_options
def command(
    path: str | None,
    form: Form,
    rev: str | None,
    address: str | None,
    hub: Path | None,
    project: str | None,
) -> None:
    """Print what the hub knows of a dataset, or as DCAT of all datasets, for catalogues elsewhere.

    \b
    Examples:
      lockgate data export data/flights.csv --as croissant > flights.croissant.json
      lockgate data export --as dcat --address https://hub.example.org
    """
    from lockgate.hub.datasets.published_form import published_form  # noqa: PLC0415

    if form == "croissant" and path is None:
        raise click.UsageError("a Croissant document is of one dataset: name its PATH")
    valued = {"--as": form, "--rev": rev, "--address": address}
    given = [word for option, value in valued.items() if value for word in (option, value)]
    place = ask_hub(hub, project, ["data", "export", *([path] if path else []), *given])
    sys.stdout.buffer.write(published_form(place, form, path, rev, address))
