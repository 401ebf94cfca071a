"""`lockgate hub member`: who is on a hub, and what they may do."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class MemberGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = {
        "add": ("lockgate.cli.hub_member_add", "Add a member."),
        "list": ("lockgate.cli.hub_member_list", "List the members, their roles, keys and tokens."),
        "change": (
            "lockgate.cli.hub_member_change",
            "Change what a member may do, or how they show who they are.",
        ),
        "remove": ("lockgate.cli.hub_member_remove", "Take a member off the hub."),
        "token": ("lockgate.cli.hub_member_token", "Give a member a token; its secret is shown once."),
        "revoke": ("lockgate.cli.hub_member_revoke", "Take a token from a member."),
    }


@click.group("member", cls=MemberGroup)
def command() -> None:
    """Members of a hub: people, what they may do in each project, and how they show who they are.

    \b
    Example:
      lockgate hub member add ada --role lead --project flights --key ada.pub
      lockgate hub member list
    """
