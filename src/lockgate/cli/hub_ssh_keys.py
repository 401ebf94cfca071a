"""`lockgate hub ssh-keys`: what sshd is told of members' keys."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option


@click.command("ssh-keys")
@click.argument("kind", metavar="[TYPE", required=False)
@click.argument("key", metavar="KEY]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every key, as a whole authorized_keys file.")
@hub_option
def command(kind: str | None, key: str | None, is_all: bool, hub: Path | None) -> None:
    """Print the line of an authorized_keys file for a key that sshd was shown (its tokens %t and %k), or
    nothing where it is nobody's.

    \b
    Example, in sshd_config:
      AuthorizedKeysCommand /usr/local/bin/lockgate-keys %t %k
    """
    from lockgate.hub.members.book import open_book  # noqa: PLC0415
    from lockgate.hub.members.ssh_keys import all_lines, line_of  # noqa: PLC0415

    if is_all == (kind is not None) or (kind is None) != (key is None):
        raise click.UsageError("Give a key's TYPE and KEY, or --all.")
    book = open_book(choose_hub(hub))
    if is_all:
        for line in all_lines(book):
            click.echo(line)
    elif kind is not None and key is not None and (found := line_of(book, kind, key)) is not None:
        click.echo(found)
