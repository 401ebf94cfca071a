"""Which jobs a hub isolates, from what, and whether that works here."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import tomli

from lockgate.errors import OutsideError, UserError
from lockgate.hub.directory import Hub, private_hub_root
from lockgate.hub.members.book import open_book
from lockgate.runs.isolation import PROGRAMS, RESET, Isolation, bubblewrap_options

FILE = "hub.toml"

#: Below the home of the hub's owner: what speaks for them elsewhere.
_SECRETS = (
    ".ssh", ".gnupg", ".password-store", ".local/share/keyrings", ".config/lockgate", ".config/git",
    ".git-credentials", ".config/gh", ".config/glab-cli", ".aws", ".azure", ".config/gcloud", ".boto",
    ".s3cfg", ".config/rclone", ".kube", ".docker", ".config/containers", ".condor", ".krb5", ".pgpass",
    ".my.cnf", ".pypirc", ".npmrc", ".config/huggingface", ".huggingface", ".cache/huggingface/token",
    ".kaggle", ".bash_history", ".python_history",
)  # fmt: skip
#: Of these, what uv asks for the way to package indexes.
_INDEX_SECRETS = (".netrc", ".config/uv", ".local/share/uv/credentials", ".config/pip", ".pip")
#: By these somebody of the owner's account gets others to do things as the owner, or as root; and where the
#: Ansible role keeps the service's surroundings.
_DOORS = (
    "/run/munge", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
    "/run/crio/crio.sock", "/etc/lockgate",
)  # fmt: skip


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[jobs]` of `hub.toml`."""

    isolation: Literal["auto", "required", "off"] | None = None
    """None: `auto` on a hub with members, `off` on one that is its visitor's own."""
    hidden: tuple[str, ...] = ()
    """More paths that jobs do not see; absolute."""
    shown: tuple[str, ...] = ()
    """Paths that are hidden otherwise, and that jobs see; absolute."""


class _HubFile(msgspec.Struct, frozen=True):
    jobs: JobSettings = JobSettings()


def read_job_settings(hub: Hub) -> JobSettings:
    """Return what `hub.toml` says of jobs. Raises `UserError` (`hub-settings`)."""
    path = hub.root / FILE
    try:
        settings = msgspec.convert(tomli.loads(path.read_text("utf-8")), _HubFile).jobs
    except FileNotFoundError:
        return JobSettings()
    except (tomli.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _wrong(f"{path} cannot be used: {error}") from None
    for name in (*settings.hidden, *settings.shown):
        if not name.startswith("/"):
            raise _wrong(f"[jobs] in {FILE}: {name!r} is not an absolute path")
    return settings


def isolation_wanted(hub: Hub) -> Literal["auto", "required", "off"]:
    """Return what counts for this hub. Raises `UserError` (`hub-settings`)."""
    return read_job_settings(hub).isolation or ("off" if open_book(hub).is_open else "auto")


def job_isolation(hub: Hub, *, is_here: bool) -> Isolation | None:
    """Return from what the hub's jobs are kept; None: from nothing.

    `is_here`: they run on this host. Raises `UserError` (`hub-settings`), and `OutsideError`
    (`isolation-missing`) for jobs of this host that have to be isolated and cannot be.
    """
    return _isolation(hub, is_here=is_here, secrets=(*_SECRETS, *_INDEX_SECRETS))


def build_isolation(hub: Hub) -> Isolation | None:
    """Return from what packages are kept while they are built here; None: from nothing, or it cannot be.

    The way to package indexes is not hidden, as it is needed. Raises what `job_isolation` does.
    """
    isolation = _isolation(hub, is_here=True, secrets=_SECRETS)
    return isolation if isolation is not None and isolation.is_tried else None


def isolation_lack(hub: Hub) -> str | None:
    """Return in words why jobs of this host are not isolated though the hub wants them to be; None: they
    are, or need not be. Raises `UserError` (`hub-settings`)."""
    return None if isolation_wanted(hub) == "off" else isolation_fault()


def _isolation(hub: Hub, *, is_here: bool, secrets: tuple[str, ...]) -> Isolation | None:
    wanted = isolation_wanted(hub)
    if wanted == "off":
        return None
    fault = isolation_fault() if is_here else None
    if fault is not None and wanted == "required":
        raise OutsideError(
            f"jobs have to be isolated, and cannot be on this host: {fault}",
            "Install bubblewrap (apt install bubblewrap), or look what keeps it: lockgate hub doctor",
            code="isolation-missing",
        )
    return Isolation(
        hub=os.fspath(hub.root),
        hidden=_hidden(hub, read_job_settings(hub), secrets),
        is_required=wanted == "required",
        is_tried=is_here and fault is None,
        is_root=os.geteuid() == 0,
    )


def _hidden(hub: Hub, settings: JobSettings, secrets: tuple[str, ...]) -> tuple[str, ...]:
    home, user = Path.home(), os.geteuid()
    paths = [*(home / name for name in secrets), *map(Path, _DOORS), Path(f"/run/user/{user}")]
    agent = os.environ.get("SSH_AUTH_SOCK")
    paths += [Path(agent).parent] if agent and Path(agent).parent.name.startswith("ssh-") else []
    if private_hub_root() != hub.root:
        paths.append(private_hub_root())
    shown = {os.path.realpath(path) for path in settings.shown}
    real = dict.fromkeys(os.path.realpath(path) for path in (*map(os.fspath, paths), *settings.hidden))
    root = os.path.realpath(hub.root)
    return tuple(path for path in real if path not in shown and not f"{path}/".startswith(f"{root}/"))


@cache
def isolation_fault() -> str | None:
    """Return in words why nothing can be isolated on this host; None: it can. It is tried once a process."""
    program = next((path for path in PROGRAMS if os.access(path, os.X_OK)), None)
    if program is None:
        return "bubblewrap is not installed"
    words = [program, *bubblewrap_options(is_root=os.geteuid() == 0), *RESET, "/bin/sh", "-c", ":"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else f"bubblewrap ended with exit code {done.returncode}"
    return None


def _wrong(words: str) -> UserError:
    return UserError(words, "Correct it; its keys: docs/reference/hub-toml.md", code="hub-settings")
