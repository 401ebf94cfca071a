"""A hub is a directory: what lies where in it, and how it and its projects are made."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.program import attempt, git
from lockgate.hub import hook as hook_client
from lockgate.hub import hook_line

FORMAT = 1

#: What every project's repository on the hub is set to, see git-config(1).
_SETTINGS = {
    "receive.advertisePushOptions": "true",
    "receive.denyDeleteCurrent": "ignore",
    "receive.denyCurrentBranch": "ignore",
    "receive.autogc": "false",
    "gc.auto": "0",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "transfer.hideRefs": "refs/lockgate/queue",
    "core.logAllRefUpdates": "true",
    # A push under way has the repository itself for an alternate: its refs need not be listed twice
    "core.alternateRefsCommand": "true",
    # Without a unit: DVC reads a repository by Dulwich, which knows none
    "core.bigFileThreshold": "33554432",
}

#: What a hub that is being made holds before `hub.json`, which is written last.
_OWN_NAMES = frozenset({"repositories", "runtimes", "store", "runs", "bin", "key", "key.pub", "wake"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_HOOK = """\
#!/bin/sh
# Written by Lockgate; `lockgate hub doctor --fix` writes it anew.
if [ "${variable}" ]; then
  unset {variable}
  trap "" PIPE
  exec 4<&0 5>&1 6>&2
  word=
  {{ echo {hook} {project} $$ >&{line}; }} 2>/dev/null && read -r word <&{line}
  if [ "$word" = {taken} ]; then
    read -r code <&{line} && exit "$code"
    echo "lockgate: the hub's hook server broke off; push again" >&2
    exit 1
  fi
  exec 4<&- 5>&- 6>&-
  trap - PIPE
fi
python={python}
if [ ! -x "$python" ]; then
  echo "lockgate: nothing was queued: this hub's Python is gone: $python" >&2
  echo "lockgate: the hub's owner installs Lockgate again, then: lockgate hub doctor --fix --hub {hub}" >&2
  exit 1
fi
client={client}
if [ -S {hub}/{socket} ] && [ -r "$client" ]; then
  exec "$python" -I -S "$client" {hook} {hub} {project}
fi
exec "$python" -I -m lockgate.hub.receive {hook} {hub} {project}
"""

_WRAPPER = """\
#!/bin/sh
# Written by Lockgate: the command line of the version this hub was made with, for callers over ssh.
exec {python} -I -m lockgate "$@"
"""

HOOKS = ("pre-receive", "post-receive")


class HubFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hub.json`: what makes a directory a hub."""

    lockgate_hub: int


class Hub:
    """The paths of one hub. Opening reads one small file; nothing else is touched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index.sqlite"
        self.key = root / "key"
        self.wake = root / "wake"
        self.lock = root / "dispatcher.lock"
        self.starting = root / "dispatcher.starting"
        self.log = root / "dispatcher.log"
        self.runtimes = root / "runtimes"
        self.store = root / "store"
        self.holdings = root / "holdings"
        self.loans = root / "loans"
        self.incoming = root / "incoming"
        self.repositories = root / "repositories"

    @property
    def is_there(self) -> bool:
        """Whether the directory is still a hub, and was not removed meanwhile."""
        return (self.root / "hub.json").exists()

    def repository(self, project: str) -> Path:
        return self.repositories / f"{project}.git"

    def run_folder(self, project: str, run: str) -> Path:
        return self.root / "runs" / project / run

    def projects(self) -> list[str]:
        return sorted(path.name.removesuffix(".git") for path in self.repositories.glob("*.git"))

    def require_project(self, project: str) -> Path:
        path = self.repository(project)
        if not path.is_dir():
            known = ", ".join(self.projects()) or "none yet"
            raise UserError(
                f"the hub {self.root} has no project {project}",
                f"Its projects: {known}. To add it: lockgate hub add-project {project} --hub {self.root}",
                code="project-unknown",
            )
        return path


def open_hub(root: Path) -> Hub:
    """Return the hub at this directory. Raises `UserError`: `not-a-hub`, `hub-format`."""
    root = root.expanduser().absolute()
    try:
        content = (root / "hub.json").read_bytes()
    except OSError:
        raise UserError(
            f"{root} is not a hub", f"To make it one: lockgate hub init {root}", code="not-a-hub"
        ) from None
    try:
        found = msgspec.json.decode(content, type=HubFile)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{root}/hub.json is damaged: {error}",
            f'Its content is {{"lockgate_hub": {FORMAT}}}.',
            code="hub-format",
        ) from None
    if found.lockgate_hub != FORMAT:
        raise UserError(
            f"{root} is a hub of format {found.lockgate_hub}; this Lockgate knows format {FORMAT}",
            "Use the Lockgate it was made with, or a newer one.",
            code="hub-format",
        )
    return Hub(root)


def hub_of_repository(repository: Path) -> tuple[Hub, str] | None:
    """Return the hub and project a repository path belongs to, or None where it is no hub's."""
    repository = repository.absolute()
    root = repository.parent.parent
    if repository.parent.name != "repositories" or not (root / "hub.json").exists():
        return None
    return open_hub(root), repository.name.removesuffix(".git")


def create_hub(root: Path) -> tuple[Hub, bool]:
    """Make a directory a hub, or open it if it is one; return it and whether it is new.

    Where an earlier call was killed half-way, this one goes on.
    Raises `UserError` (`hub-not-empty`) for a directory with other things in it.
    """
    from lockgate.activity.key import create_key  # noqa: PLC0415  (cryptography: only a new hub needs it)

    root = root.expanduser().absolute()
    try:
        if (root / "hub.json").exists():
            return open_hub(root), False
        if root.is_dir() and any(path.name not in _OWN_NAMES for path in root.iterdir()):
            raise UserError(
                f"{root} is not empty and not a hub",
                "Name a new or empty directory: lockgate hub init DIR",
                code="hub-not-empty",
            )
        hub = Hub(root)
        for folder in (hub.repositories, hub.runtimes, hub.store, root / "runs", root / "bin"):
            folder.mkdir(parents=True, exist_ok=True)
        if not hub.key.exists():
            create_key(hub.key)
        write_wrapper(hub)
        make_wake(hub)
        (root / "hub.json").write_bytes(msgspec.json.encode(HubFile(FORMAT)) + b"\n")
    except OSError as error:
        raise _unwritable(root, error) from error
    return hub, True


def is_project_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not name.endswith((".git", ".lock")) and ".." not in name


def add_project(hub: Hub, name: str) -> tuple[Path, bool]:
    """Make a project's repository on the hub, or refresh its hooks; return it and whether it is new."""
    if not is_project_name(name):
        raise UserError(
            f"{name!r} cannot be a project's name",
            "Use up to 100 letters, digits, `.`, `-`, `_`, beginning with a letter or digit.",
            code="project-name",
        )
    path = hub.repository(name)
    is_new = not (path / "hooks" / HOOKS[-1]).exists()  # written last: one killed half-way is begun again
    try:
        if is_new:
            git(hub.root, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
            _write_settings(path)
        configure(hub, name)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path, is_new


def configure(hub: Hub, project: str) -> None:
    """Write a project's hooks and git settings as this version of Lockgate wants them."""
    path = hub.repository(project)
    for key, value in _lacking_settings(path):
        git(path, "config", key, value)
    folder = path / "hooks"
    folder.mkdir(exist_ok=True)
    for hook in HOOKS:
        _write_program(folder / hook, hook_text(hub, project, hook))


def is_configured(hub: Hub, project: str) -> bool:
    """Return whether hooks and settings are as this version of Lockgate would write them."""
    path = hub.repository(project)
    for hook in HOOKS:
        file = path / "hooks" / hook
        if not file.exists() or file.read_text() != hook_text(hub, project, hook):
            return False
    return not _lacking_settings(path)


def _lacking_settings(path: Path) -> list[tuple[str, str]]:
    _, output, _ = attempt(path, "config", "--list", "--local")
    found = dict(line.partition("=")[::2] for line in output.decode("utf-8", "replace").splitlines())
    return [(key, value) for key, value in _SETTINGS.items() if found.get(key.lower()) != value]


def _write_settings(path: Path) -> None:
    """Write all settings of a repository that nobody else knows of yet: ten calls of git less."""
    with (path / "config").open("a") as file:
        for key, value in _SETTINGS.items():
            section, _, name = key.partition(".")
            file.write(f"[{section}]\n\t{name} = {value}\n")


def hook_text(hub: Hub, project: str, hook: str) -> str:
    return _HOOK.format(
        python=shlex.quote(sys.executable),
        hub=shlex.quote(str(hub.root)),
        project=shlex.quote(project),
        hook=hook,
        client=shlex.quote(hook_client.__file__),
        socket=hook_client.SOCKET,
        variable=hook_line.VARIABLE,
        line=hook_line.DESCRIPTOR,
        taken=hook_line.TAKEN,
    )


def write_wrapper(hub: Hub) -> None:
    _write_program(hub.root / "bin" / "lockgate", _WRAPPER.format(python=shlex.quote(sys.executable)))


def make_wake(hub: Hub) -> None:
    """Make the named pipe by which a hook wakes the dispatcher (a socket's path may not be this long)."""
    if not (hub.wake.exists() and stat.S_ISFIFO(hub.wake.stat().st_mode)):
        hub.wake.unlink(missing_ok=True)
        os.mkfifo(hub.wake, 0o600)


def private_hub_root() -> Path:
    """Return where a person's own hub lies: `$LOCKGATE_HUB`, else under `$XDG_DATA_HOME`."""
    if named := os.environ.get("LOCKGATE_HUB"):
        return Path(named).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "lockgate" / "hub"


def _write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.replace(path)


def _unwritable(path: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"{path} cannot be written: {error.strerror or error}",
        "Name a directory you may write to, on a disk with room.",
        code="hub-unwritable",
    )
