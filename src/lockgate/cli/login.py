"""`lockgate login`: getting into a hub's service, once."""

from __future__ import annotations

import sys

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("login")
@click.argument("url")
@click.option("--member", metavar="NAME", help="Your name on the hub; asked for when left out.")
@click.option(
    "--token-stdin",
    "has_token",
    is_flag=True,
    help="Read a token, made on the hub's pages, from standard input.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long the login holds."
)
@json_option
def command(url: str, member: str | None, has_token: bool, days: int, is_json: bool) -> None:
    """Log in to a hub's service. A token of yours is kept in ~/.config/lockgate/hubs.json, for lockgate and
    for git: neither asks for a password from then on.

    \b
    Examples:
      lockgate login https://hub.example.org
      lockgate login https://hub.example.org --token-stdin < token.txt
    """
    from lockgate.hub.worktree.login import log_in_by_password, log_in_by_token  # noqa: PLC0415

    if has_token:
        done = log_in_by_token(url, sys.stdin.readline().strip())
    else:
        name = member or click.prompt("Member", err=True)
        password = _password()
        done = log_in_by_password(url, name, password, days)
    if is_json:
        print_json(done)
        return
    until = f" until {done.expires_at[:10]}" if done.expires_at else ""
    echo(f"logged in to {done.base} as {done.member}{until}")
    for warning in done.warnings:
        click.echo(f"note: {warning}", err=True)
    echo(f"Next: git clone -o hub {done.base}/git/PROJECT.git")


def _password() -> str:
    """Ask for it unseen; a program gives it on standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")
