"""`lockgate hub member add`: a new member."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.member_options import (
    key_option,
    password_option,
    project_option,
    projects_meant,
    read_keys,
    read_password,
)
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json

if TYPE_CHECKING:
    from lockgate.hub.members.values import Role


@click.command("add")
@click.argument("name")
@click.option("--email", default="", metavar="ADDRESS", help="Where a first login by OpenID is bound to.")
@click.option("--full-name", default="", metavar="TEXT", help="As people know them.")
@click.option("--role", type=click.Choice(["lead", "member", "viewer"]), help="What they may do there.")
@project_option("In which project; '*' for every one. May be given more than once.")
@click.option("--party", "parties", metavar="PARTY", multiple=True, help="A party they sign off for there.")
@click.option("--operator", "is_operator", is_flag=True, help="They look after the hub and its members.")
@key_option
@password_option
@hub_option
@json_option
def command(
    name: str,
    email: str,
    full_name: str,
    role: Role | None,
    projects: tuple[str, ...],
    parties: tuple[str, ...],
    is_operator: bool,
    keys: tuple[Path, ...],
    has_password: bool,
    hub: Path | None,
    is_json: bool,
) -> None:
    """Add a member. From the first one on, the hub lets in members only; you, its owner, stay allowed all.

    \b
    Example:
      lockgate hub member add ada --email ada@example.org --role lead --project flights
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.changes import invite  # noqa: PLC0415
    from lockgate.hub.members.edits import Edit, edited  # noqa: PLC0415
    from lockgate.hub.members.names import require_name  # noqa: PLC0415
    from lockgate.hub.members.overview import overview  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER, Member  # noqa: PLC0415

    place = choose_hub(hub)
    book = open_book(place)
    was_open = book.is_open
    edit = Edit(
        email=email or None,
        full_name=full_name or None,
        role=role,
        projects=projects_meant(place, projects) if role or parties or projects else (),
        add_parties=parties,
        is_operator=is_operator,
        add_keys=read_keys(keys),
        password=read_password(has_password, name),
    )
    member = invite(book, OWNER, edited(Member(name=require_name(name)), edit))
    shown = overview(member)
    if is_json:
        print_json(shown)
        return
    echo(f"added {name}: {shown.roles_text}")
    if was_open:
        echo("From now on the hub lets in its members only, and you, its owner.")
    if not (member.keys or member.password):
        echo(f"They need a way in: lockgate hub member change {name} --key FILE, or --password-stdin")
