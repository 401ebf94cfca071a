"""`lockgate hub`: making hubs and looking after them."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class HubGroup(LazyGroup):
    """What is done to a hub, on its host."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "init": ("lockgate.cli.hub_init", "Make a directory a hub."),
        "add-project": ("lockgate.cli.hub_add_project", "Add a project, ready to clone and push to."),
        "serve": ("lockgate.cli.hub_serve", "Serve a hub to a team: git over HTTP, API, web pages."),
        "member": ("lockgate.cli.hub_member", "Members: who is on the hub, and what they may do."),
        "proposal": ("lockgate.cli.hub_proposal", "Proposals: changes that wait for a lead."),
        "ssh-keys": ("lockgate.cli.hub_ssh_keys", "Tell sshd of members' keys."),
        "shell": ("lockgate.cli.hub_shell", "Answer a member over ssh; sshd calls it."),
        "send": ("lockgate.cli.hub_send", "Send data of this clone to its hub."),
        "lend": ("lockgate.cli.hub_lend", "Lend a project data of others; Lockgate calls it over ssh."),
        "lacking": ("lockgate.cli.hub_lacking", "Say what data a project lacks; Lockgate calls it over ssh."),
        "take": ("lockgate.cli.hub_take", "Take data in for a project; Lockgate calls it over ssh."),
        "give": ("lockgate.cli.hub_give", "Give data of a project; Lockgate calls it over ssh."),
        "doctor": ("lockgate.cli.hub_doctor", "Look whether a hub is well; --fix mends."),
        "gc": ("lockgate.cli.hub_gc", "Remove data that no project needs any more."),
        "storage": ("lockgate.cli.hub_storage", "Say how much room each project takes."),
        "reindex": ("lockgate.cli.hub_reindex", "Build the index anew from git."),
        "backup": ("lockgate.cli.hub_backup", "Back a hub up into one file, while it works."),
        "restore": ("lockgate.cli.hub_restore", "Bring a hub back from its backup."),
        "dispatch": ("lockgate.cli.hub_dispatch", "Run what is queued, in this terminal."),
    }


@click.group("hub", cls=HubGroup)
def command() -> None:
    """Make and look after hubs. A hub is a directory; nothing needs to be started or installed as a service.

    \b
    Example, for a team on one machine:
      lockgate hub init /srv/hub
      lockgate hub add-project flights --hub /srv/hub
      git remote add hub /srv/hub/repositories/flights.git
    """
