"""Which hub and project a work tree speaks to: its remote `hub`, by path, ssh or HTTP."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.git.worktree import find_root, remotes
from lockgate.hub.directory import Hub, hub_of_repository, open_hub

REMOTE = "hub"
#: What git calls the remote of a clone where nobody says otherwise.
CLONED = "origin"

_SSH_URL = re.compile(r"(?:ssh|git\+ssh)://(?P<host>[^/]+?)(?P<port>:\d+)?(?P<path>/.*)")
_SCP = re.compile(r"(?P<host>(?:[^/:@\[]+@)?\[[^\]/]+\]|[^/:]+):(?P<path>.+)")


class LocalHub(msgspec.Struct, frozen=True):
    """A hub on this machine's file system."""

    hub: Hub
    project: str


class RemoteHub(msgspec.Struct, frozen=True):
    """A hub behind ssh; its own command line answers there."""

    host: str
    port: str | None
    path: str
    """Of the project's repository, on that host."""

    def words(self, arguments: Sequence[str]) -> list[str]:
        """Return the ssh command that runs `lockgate ARGUMENTS` on the hub's host, for this project."""
        repository = PurePosixPath(self.path)
        root = str(repository.parent.parent)
        project = repository.name.removesuffix(".git")
        # A leading ~ must reach the remote shell unquoted to mean the home directory
        program = f"{root}/bin/lockgate"
        words = [*arguments, "--hub", root, "--project", project]
        line = " ".join([_remote_quoted(program), *(_remote_quoted(word) for word in words)])
        ssh = shlex.split(os.environ.get("GIT_SSH_COMMAND", "ssh"))
        return [*ssh, *(["-p", self.port] if self.port else []), self.host, line]

    def call(self, arguments: Sequence[str], stdin: BinaryIO | None = None) -> int:
        """Run `lockgate ARGUMENTS` on the hub's host, its output being ours; return its exit code.

        `stdin`: what it reads; None: what we read.

        Raises `OutsideError` (`ssh-missing`, `hub-unreachable`).
        """
        words = self.words(arguments)
        try:
            code = subprocess.run(words, env=clean_environment(), stdin=stdin, check=False).returncode
        except FileNotFoundError:
            raise self.no_ssh(words[0]) from None
        if code in (126, 127, 255):
            raise self.no_answer()
        return code

    def no_answer(self) -> OutsideError:
        root = str(PurePosixPath(self.path).parent.parent)
        return OutsideError(
            f"the hub at {self.host} did not answer",
            f"Try: ssh {self.host} {root}/bin/lockgate --version",
            code="hub-unreachable",
            is_transient=True,
        )

    def no_ssh(self, program: str) -> OutsideError:
        return OutsideError(f"{program} is not installed", "Install an ssh client.", code="ssh-missing")


class HttpHub(msgspec.Struct, frozen=True):
    """A hub behind its service."""

    base: str
    """The service's address without a final slash, as `https://hub.example.org/lockgate`."""
    project: str


Address = LocalHub | RemoteHub | HttpHub


def address(hub: Path | None, project: str | None, folder: Path) -> Address:
    """Return the hub named by options, or else the one the work tree around `folder` has as remote.

    Raises `UserError`: `no-hub`, `project-unknown`, `not-a-hub`, `hub-url`.
    """
    if hub is not None:
        opened = open_hub(hub)
        if project is None:
            projects = opened.projects()
            if len(projects) != 1:
                raise UserError(
                    f"the hub {opened.root} has {len(projects)} projects",
                    f"Name one: --project {projects[0] if projects else 'NAME'}",
                    code="project-unknown",
                )
            project = projects[0]
        opened.require_project(project)
        return LocalHub(opened, project)
    root = find_root(folder)
    found = remotes(root)
    if REMOTE not in found:
        raise UserError(f"{root.name} has no remote `{REMOTE}` yet", naming_a_hub(found), code="no-hub")
    return of_url(found[REMOTE], root)


def project_named(place: Address) -> str:
    """Return what the hub calls the project."""
    if isinstance(place, RemoteHub):
        return PurePosixPath(place.path).name.removesuffix(".git")
    return place.project


def naming_a_hub(found: Mapping[str, str]) -> str:
    """Return in words how a work tree with these remotes, none of them `hub`, gets one."""
    if CLONED in found:
        return f"Is `{CLONED}` the hub? Then: git remote rename {CLONED} {REMOTE}; else: lockgate init"
    return f"Make a hub of your own: lockgate init; or name one: git remote add {REMOTE} URL"


def of_url(url: str, root: Path) -> Address:
    """Return the address a git URL means, seen from the work tree `root` (git-fetch(1), GIT URLS)."""
    found = _SSH_URL.fullmatch(url)
    if found:
        path = found["path"]
        port = found["port"].removeprefix(":") if found["port"] else None
        return _remote(url, found["host"], port, path[1:] if path.startswith("/~") else path)
    if url.startswith(("http://", "https://")):
        return _behind_service(url)
    if "://" in url and not url.startswith("file://"):
        raise UserError(
            f"the hub's address {url} is neither a path, ssh nor HTTP",
            "Use a path, ssh://HOST/PATH, HOST:PATH or https://HOST/git/NAME.git.",
            code="hub-url",
        )
    local = Path(url.removeprefix("file://"))
    found = (
        None
        if url.startswith(("/", "./", "../", "file://")) or (root / local).exists()
        else _SCP.fullmatch(url)
    )
    if found:
        return _remote(url, found["host"], None, found["path"])
    # pathlib raises for the ~ of nobody
    belongs = hub_of_repository(Path(os.path.normpath(root / os.path.expanduser(local))))  # noqa: PTH111
    if belongs is None:
        raise UserError(
            f"the remote `{REMOTE}` ({url}) is not a project of a hub",
            "Point it at one: git remote set-url hub DIR/repositories/NAME.git",
            code="no-hub",
        )
    return LocalHub(*belongs)


def service_base(url: str) -> str:
    """Return the one form of a service's address, as it is kept: no final slash, no name in it, no port that
    goes without saying. Raises `UserError` (`hub-url`)."""
    from urllib.parse import urlsplit  # noqa: PLC0415  (3 ms, only for hubs behind a service)

    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        found, port = urlsplit(""), None
    if found.scheme not in ("http", "https") or not found.hostname:
        raise UserError(
            f"{url} is not the address of a hub's service",
            "It begins with https:// and a host, as https://hub.example.org.",
            code="hub-url",
        )
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    is_usual = port in (None, {"http": 80, "https": 443}[found.scheme])
    return f"{found.scheme}://{host}{'' if is_usual else f':{port}'}{found.path.rstrip('/')}"


def _behind_service(url: str) -> HttpHub:
    base, slash, name = service_base(url).rpartition("/git/")
    project = name.removesuffix(".git")
    if not slash or not project or "/" in project:
        raise UserError(
            f"the hub's address {url} names no project",
            "It ends in /git/NAME.git: git remote set-url hub https://HOST/git/NAME.git",
            code="hub-url",
        )
    return HttpHub(base, project)


def _remote(url: str, host: str, port: str | None, path: str) -> RemoteHub:
    """Refuse what ssh would take for an option, as git does; brackets around an address are the URL's."""
    if host.startswith("-") or path.startswith("-"):
        raise UserError(
            f"the hub's address {url} names a host or path that begins with `-`",
            "Use a path, ssh://HOST/PATH or HOST:PATH.",
            code="hub-url",
        )
    return RemoteHub(host.replace("[", "").replace("]", ""), port, path)


def _remote_quoted(word: str) -> str:
    if word.startswith("~"):
        head, slash, rest = word.partition("/")
        return head + slash + (shlex.quote(rest) if rest else "")
    return shlex.quote(word)
