"""`lockgate data certify`: a signed word that one version of a dataset is fit for use."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import echo, print_json


@click.command("certify")
@click.argument("path", metavar="PATH")
@click.option("--until", metavar="DAY", default="", help="The last day it counts; left out: for a year.")
@click.option("--words", metavar="TEXT", default="", help="What was looked at; why it is withdrawn.")
@click.option("--withdraw", is_flag=True, help="Take the certification back.")
@click.option("--version", "version", metavar="DIGEST", help="This one; refused where the hub has another.")
@click.option("--rev", metavar="REV", help="The version at a branch, tag or commit of the hub.")
@click.option("--by", metavar="MEMBER", help="In whose name; left out: git's user.email.")
@hub_options
@json_option
def command(
    path: str,
    until: str,
    words: str,
    withdraw: bool,
    version: str | None,
    rev: str | None,
    by: str | None,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> None:
    """Certify that exactly one version of a dataset is fit for use: the one in this clone, which the hub must
    have too. A lead may, and who has the party data-steward. Changed data is not certified any more.

    \b
    Examples:
      lockgate data certify data/flights.csv --until 2027-06-30
      lockgate data certify data/flights.csv --withdraw --words "two days are missing"
    """
    from lockgate.data.certification import in_words  # noqa: PLC0415
    from lockgate.git.worktree import member_here  # noqa: PLC0415
    from lockgate.hub.datasets.catalogue import standing_now  # noqa: PLC0415
    from lockgate.hub.datasets.certifying import Asked  # noqa: PLC0415
    from lockgate.hub.worktree.asking import ask_certification  # noqa: PLC0415

    if version is None and hub is None and rev is None:
        path, version = _seen_here(path)
    member = by or member_here()
    valued = {"--until": until, "--words": words, "--version": version, "--rev": rev, "--by": member}
    given = [word for option, value in valued.items() if value for word in (option, value)]
    flags = [*(["--withdraw"] if withdraw else []), *(["--json"] if is_json else [])]
    place = ask_hub(hub, project, ["data", "certify", path, *given, *flags])
    asked = Asked(path=path, version=version, revision=rev, until=until, words=words, is_withdrawal=withdraw)
    made = ask_certification(place, asked, member)
    _refresh_copy(hub)
    if is_json:
        print_json(made)
    else:
        echo(f"{made.path} ({made.content[:12]}): {in_words(standing_now([made], made.content))}")


def _refresh_copy(hub: Path | None) -> None:
    """Bring the chain's copy up to date, by which `lockgate data show` tells it."""
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.history import refresh  # noqa: PLC0415

    if hub is None:
        refresh(find_root(Path.cwd()))


def _seen_here(path: str) -> tuple[str, str | None]:
    """Return the path as the project sees it, and the version that lies here; None: git alone tells it."""
    from lockgate.cli.data_report import inside  # noqa: PLC0415
    from lockgate.data.catalogued import find_dataset  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415

    clone = open_clone(os.curdir)
    found = find_dataset(clone, inside(clone, [path])[0])
    return found.output.path, found.output.md5
