"""`lockgate hub member change`: what a member may do, and how they show who they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

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


@click.command("change")
@click.argument("name")
@click.option("--email", metavar="ADDRESS", help="Another address; '' for none.")
@click.option("--full-name", metavar="TEXT", help="As people know them.")
@click.option(
    "--role", type=click.Choice(["lead", "member", "viewer", "none"]), help="What they may do there."
)
@project_option("In which project; '*' for every one. May be given more than once.")
@click.option("--party", "parties", metavar="PARTY", multiple=True, help="A party they sign off for there.")
@click.option("--no-party", "lost", metavar="PARTY", multiple=True, help="One they no longer sign off for.")
@click.option(
    "--operator/--no-operator", "is_operator", default=None, help="They look after the hub, or no longer."
)
@click.option("--active/--inactive", "is_active", default=None, help="They are let in, or not for now.")
@key_option
@click.option(
    "--drop-key", "dropped", metavar="KEY", multiple=True, help="Take a key away, by its comment or line."
)
@click.option(
    "--drop-login", "is_login_dropped", is_flag=True, help="Forget the account elsewhere they log in by."
)
@password_option
@hub_option
@json_option
def command(
    name: str,
    email: str | None,
    full_name: str | None,
    role: Role | Literal["none"] | None,
    projects: tuple[str, ...],
    parties: tuple[str, ...],
    lost: tuple[str, ...],
    is_operator: bool | None,
    is_active: bool | None,
    keys: tuple[Path, ...],
    dropped: tuple[str, ...],
    is_login_dropped: bool,
    has_password: bool,
    hub: Path | None,
    is_json: bool,
) -> None:
    """Change a member. It counts from their next step on, also in what they have open.

    \b
    Example:
      lockgate hub member change bob --role viewer --project flights
      lockgate hub member change bob --inactive
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.changes import change  # noqa: PLC0415
    from lockgate.hub.members.edits import Edit, edited  # noqa: PLC0415
    from lockgate.hub.members.overview import overview  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER  # noqa: PLC0415

    place = choose_hub(hub)
    book = open_book(place)
    book.require(name)
    edit = Edit(
        email=email,
        full_name=full_name,
        role=role,
        projects=projects_meant(place, projects) if role or parties or lost or projects else (),
        add_parties=parties,
        drop_parties=lost,
        is_operator=is_operator,
        is_active=is_active,
        add_keys=read_keys(keys),
        drop_keys=dropped,
        password=read_password(has_password, name),
        is_login_dropped=is_login_dropped,
    )
    before, after = change(book, OWNER, name, lambda member: edited(member, edit))
    shown = overview(after)
    if is_json:
        print_json(shown)
    elif before == after:
        echo(f"{name} was so already: {shown.roles_text}")
    else:
        echo(f"changed {name}: {shown.roles_text}")
