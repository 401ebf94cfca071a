"""`lockgate hub member revoke`: a token ends."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("revoke")
@click.argument("member")
@click.argument("token")
@hub_option
@json_option
def command(member: str, token: str, hub: Path | None, is_json: bool) -> None:
    """Take a token, by its name or id, from a member; it ends at once.

    \b
    Example:
      lockgate hub member revoke ada laptop
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.changes import take_token  # noqa: PLC0415
    from lockgate.hub.members.values import OWNER  # noqa: PLC0415

    taken = take_token(open_book(choose_hub(hub)), OWNER, member, token)
    if is_json:
        print_json({"member": member, "id": taken.id, "name": taken.name, "is_revoked": True})
    else:
        echo(f"revoked the token {taken.name} of {member}")
