"""`lockgate data describe`: what people say of data, written beside it."""

from __future__ import annotations

import os

import click

from lockgate.cli.data_report import inside
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("describe")
@click.argument("path", metavar="PATH")
@click.option("--text", metavar="TEXT", help="What it is.")
@click.option("--owner", metavar="WHO", help="Who answers for it.")
@click.option("--licence", metavar="SPDX", help="Under which licence, as CC-BY-4.0.")
@click.option("--source", metavar="WHENCE", help="Where it came from: an address, or words.")
@click.option("--version", "version", metavar="VERSION", help="As its source counts.")
@click.option("--refreshed", metavar="DAY", help="When its content was last brought up to date.")
@click.option("--labelled", metavar="DAY", help="When the labels in it were last given.")
@click.option("--label", "labels", multiple=True, metavar="WORD", help="A word to find it by.")
@click.option("--no-label", "dropped", multiple=True, metavar="WORD", help="Take such a word away.")
@click.option("--column", "columns", multiple=True, metavar="NAME=TEXT", help="What a column means.")
@json_option
def command(
    path: str,
    text: str | None,
    owner: str | None,
    licence: str | None,
    source: str | None,
    version: str | None,
    refreshed: str | None,
    labelled: str | None,
    labels: tuple[str, ...],
    dropped: tuple[str, ...],
    columns: tuple[str, ...],
    is_json: bool,
) -> None:
    """Say what data is, for the catalogue. What is not named stays as it was; "" takes it away.

    It is written into the pointer, where DVC keeps it too, or for a file in git into lockgate.toml. Commit
    and push it: the catalogue on the hub shows what is pushed.

    \b
    Example:
      lockgate data describe data/flights.csv --owner ada --licence CC-BY-4.0 --column delay="minutes late"
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.describe import Change, describe  # noqa: PLC0415
    from lockgate.project.description import require_field  # noqa: PLC0415

    given = {
        "owner": owner,
        "licence": licence,
        "source": source,
        "version": version,
        "refreshed_at": refreshed,
        "labelled_at": labelled,
    }
    fields = {
        name: require_field(name, word) if word else "" for name, word in given.items() if word is not None
    }
    change = Change(
        text=text, fields=fields, add_labels=labels, drop_labels=dropped, columns=dict(map(_column, columns))
    )
    if change.is_empty:
        raise click.UsageError(
            "Say something: --text, --owner, --licence, …; lockgate data show PATH shows it."
        )
    clone = open_clone(os.curdir)
    done = describe(clone, inside(clone, [path])[0], change)
    if is_json:
        print_json(done)
    else:
        echo(f"{done.path}: described in {done.file}")


def _column(text: str) -> tuple[str, str]:
    name, sign, words = text.partition("=")
    if not sign or not name.strip():
        raise click.UsageError(f"--column {text!r}: write NAME=TEXT.")
    return name.strip(), words.strip()
