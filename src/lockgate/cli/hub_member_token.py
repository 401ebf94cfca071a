"""`lockgate hub member token`: a token for programs and for git over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.member_options import project_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.members.values import Scope


@click.command("token")
@click.argument("member")
@click.option("--name", default="token", show_default=True, metavar="TEXT", help="What it is for.")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    default="read",
    show_default=True,
    help="read: look; write: push and run too; admin: all that the member may.",
)
@project_option("The only project it is good for; may be given more than once.")
@click.option("--days", type=int, default=90, show_default=True, help="How long it is good; 0: without end.")
@hub_option
@json_option
def command(
    member: str,
    name: str,
    scope: Scope,
    projects: tuple[str, ...],
    days: int,
    hub: Path | None,
    is_json: bool,
) -> None:
    """Give a member a token and print its secret. It is printed this once: the hub keeps a digest.

    \b
    Example:
      lockgate hub member token ada --name laptop --scope write --days 30
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.changes import give_token  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER  # noqa: PLC0415

    book = open_book(choose_hub(hub))
    only = projects or None
    token, secret = give_token(book, OWNER, member, name, scope, only, days if days != 0 else None)
    if is_json:
        about = {"member": member, "id": token.id, "name": name, "scope": scope, "projects": token.projects}
        print_json({**about, "expires_at": token.expires_at, "secret": secret})
        return
    until = f"until {token.expires_at}" if token.expires_at else "without end"
    click.echo(
        f"token {name} of {member}: {scope}, {', '.join(projects) or 'every project of theirs'}, {until}",
        err=True,
    )
    echo(secret)
