"""`lockgate hub proposal`: what members want of the default branch and only a lead may do."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class ProposalGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = {
        "list": ("lockgate.cli.hub_proposal_list", "List the open proposals."),
        "show": ("lockgate.cli.hub_proposal_show", "Show what one changes."),
        "accept": ("lockgate.cli.hub_proposal_accept", "Bring one onto the default branch, and run it."),
        "decline": ("lockgate.cli.hub_proposal_decline", "Close one."),
    }


@click.group("proposal", cls=ProposalGroup)
def command() -> None:
    """Proposals: a member's push that changes lockgate.toml, environments/ or kernels/ on the default branch
    is kept, and a lead decides.

    \b
    Example:
      lockgate hub proposal list
      lockgate hub proposal accept 8F3KQ2ZD --by ada
    """
