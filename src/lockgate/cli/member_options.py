"""Options that the commands about members share, and what they read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from lockgate.errors import OutsideError, UserError
from lockgate.hub.directory import Hub

_F = TypeVar("_F", bound=Callable[..., object])


def project_option(help_text: str) -> Callable[[_F], _F]:
    return click.option("--project", "projects", metavar="NAME", multiple=True, help=help_text)


def key_option(function: _F) -> _F:
    return click.option(
        "--key",
        "keys",
        type=click.Path(path_type=Path),
        metavar="FILE",
        multiple=True,
        help="An ssh public key, such as ~/.ssh/id_ed25519.pub; - reads it from standard input.",
    )(function)


def password_option(function: _F) -> _F:
    return click.option(
        "--password-stdin", "has_password", is_flag=True, help="Read a password from standard input."
    )(function)


def projects_meant(hub: Hub, projects: tuple[str, ...]) -> tuple[str, ...]:
    """Return the projects named, or the only one there is. Raises `UserError` (`project-unknown`)."""
    there = hub.projects()
    if not projects and len(there) == 1:
        return tuple(there)
    if not projects:
        raise UserError(
            "say in which project: the hub has " + (", ".join(there) or "none yet"),
            "Add --project NAME, or --project '*' for every one, also those to come.",
            code="project-unknown",
        )
    for project in projects:
        if project != "*":
            hub.require_project(project)
    return projects


def read_keys(files: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the public keys in files. Raises `OutsideError` (`file-unreadable`)."""
    lines: list[str] = []
    for file in files:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8", "replace")
        except OSError as error:
            raise OutsideError(
                f"the key {file} cannot be read: {error.strerror or error}",
                "Name the `.pub` file of a key pair.",
                code="file-unreadable",
            ) from None
        found = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        lines += found if "PRIVATE KEY" not in text else [text]
    return tuple(lines)


def read_password(has_password: bool, name: str) -> str | None:
    """Return the digest of the password on standard input's first line, if one is to be there.

    Raises `UserError` (`password-weak`).
    """
    if not has_password:
        return None
    from lockgate.hub.members.authenticate import hash_password  # noqa: PLC0415  (argon2)

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    return hash_password(password, (name,))
