"""The forced command of members' ssh keys: judge what is asked for, then become the program that answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from lockgate.errors import UserError
from lockgate.git.program import clean_environment
from lockgate.hub import hook_line
from lockgate.hub.directory import Hub
from lockgate.hub.forced_command import Call, GitCall, ObjectCall, Question, VersionCall, parse_call
from lockgate.hub.members.acting import by_name, environment_of
from lockgate.hub.members.book import MemberBook, open_book
from lockgate.hub.members.rules import may, refusal
from lockgate.hub.members.values import Actor
from lockgate.hub.pushing.entitlement import record_refusal


def answer(hub: Hub, name: str, environment: Mapping[str, str]) -> NoReturn:
    """Become git, or `lockgate`, for a member; never returns.

    Raises `UserError`: `ssh-command`, `member-unknown`, `member-inactive`, `not-allowed`, `project-unknown`.
    """
    command = environment.get("SSH_ORIGINAL_COMMAND", "")
    call = parse_call(command, name)
    book = open_book(hub)
    try:
        actor = by_name(book, name)
    except UserError as error:
        _tell(book, call, name, error)
        raise
    words = _words(hub, book, actor, call)
    inherited = clean_environment(("GIT_PROTOCOL",))
    inherited.pop("SSH_ORIGINAL_COMMAND", None)
    if isinstance(call, GitCall) and call.verb == "receive-pack":
        inherited |= hook_line.bequeathed(hub.root)
    sys.stdout.flush()
    os.execvpe(words[0], words, inherited | environment_of(actor))


def project_of(hub: Hub, path: str) -> str | None:
    """Return the project that a path means: its name, with or without `.git`, or its repository's path."""
    if ".." in path.split("/"):
        return None
    whole = Path(os.path.expanduser(path))  # noqa: PTH111  (pathlib raises for the ~ of nobody)
    if not whole.is_absolute():
        whole = Path.home() / whole
    roots = (hub.repositories, Path(os.path.realpath(hub.repositories)))
    is_whole = any(whole.parent == root for root in roots)
    name = path.strip("/") if "/" not in path.strip("/") and not path.startswith("~") else ""
    named = (whole.name if is_whole else name).removesuffix(".git")
    return named if named in hub.projects() else None


def is_this_hub(hub: Hub, text: str) -> bool:
    """Return whether `--hub TEXT` means this hub; `/` and `.` are what short addresses make of it."""
    if text in ("/", "."):
        return True
    if ".." in text.split("/"):
        return False
    whole = Path(os.path.expanduser(text))  # noqa: PTH111
    whole = whole if whole.is_absolute() else Path.home() / whole
    return whole in (hub.root, Path(os.path.realpath(hub.root)))


def _words(hub: Hub, book: MemberBook, actor: Actor, call: Call) -> list[str]:
    """Return the program to become, if the member may."""
    program = [sys.executable, "-I", "-m", "lockgate"]
    match call:
        case VersionCall():
            return [*program, "--version"]
        case GitCall(verb, action, path):
            project = _readable(hub, actor, project_of(hub, path), path)
            if not may(actor, action, project):
                error = refusal(actor, action, project, book.leads(project))
                record_refusal(book, project, actor.name, (), error)
                raise error
            return ["git", verb, str(hub.repository(project))]
        case Question(asked, action, where, name):
            known = name if is_this_hub(hub, where) and name in hub.projects() else None
            project = _readable(hub, actor, known, name)
            if not may(actor, action, project):
                raise refusal(actor, action, project, book.leads(project))
            return [*program, *asked, "--hub", str(hub.root), "--project", project]
        case ObjectCall(md5, path):
            return ["cat", str(_object(hub, actor, md5, path))]


def _readable(hub: Hub, actor: Actor, project: str | None, text: str) -> str:
    """Refuse a project that is not there, or that somebody may not read, in the same words."""
    if project is None or not may(actor, "read", project):
        mine = ", ".join(name for name in hub.projects() if may(actor, "read", name)) or "none"
        raise UserError(
            f"there is no project {text[:200]} that {actor.name} may read", f"Those there are: {mine}.",
            code="project-unknown",
        )  # fmt: skip
    return project


def _object(hub: Hub, actor: Actor, md5: str, path: str) -> Path:
    from lockgate.hub.supplying.object_lookup import find_object  # noqa: PLC0415  (libgit2)

    for project in hub.projects():
        if may(actor, "read", project):
            try:
                return find_object(hub, project, md5)
            except UserError:
                continue
    raise UserError(
        f"there is no artifact {path[-40:]} that {actor.name} may read",
        "Fetch what a run made: lockgate fetch RUN",
        code="artifact-unknown",
    )


def _tell(book: MemberBook, call: Call, name: str, error: UserError) -> None:
    if isinstance(call, GitCall) and call.verb == "receive-pack":
        project = project_of(book.hub, call.path)
        if project is not None:
            record_refusal(book, project, name, (), error)
