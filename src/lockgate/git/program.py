"""Calling git: a clean environment, errors in words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lockgate.errors import OutsideError

#: Quarantined objects of a push under way, see git-receive-pack(1), "Quarantine environment".
QUARANTINE = ("GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")

#: How a person reaches other hosts and where their configuration lies, see git(1): no repository's affair.
_PERSONAL = frozenset(
    {
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_ASKPASS",
        "GIT_PROXY_COMMAND",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_EXEC_PATH",
    }
)


def clean_environment(keep: tuple[str, ...] = ()) -> dict[str, str]:
    """Return this process's environment without the variables that would lead git to another repository."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _PERSONAL or name in keep
    } | {"GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "1"), "LC_ALL": "C.UTF-8"}


def git(
    repository: Path,
    *arguments: str,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    quarantine: bool = False,
) -> bytes:
    """Run git in `repository` (a work tree or a bare one) and return what it printed.

    Raises `OutsideError` (`git-failed`) with git's own last words when it exits non-zero.
    """
    code, output, error = attempt(
        repository, *arguments, stdin=stdin, environment=environment, quarantine=quarantine
    )
    if code != 0:
        last_words = error.decode("utf-8", "replace").strip().splitlines()
        raise OutsideError(
            f"git {arguments[0]} failed: {last_words[-1] if last_words else f'exit code {code}'}",
            f"Try it by hand: git -C {repository} {' '.join(arguments[:3])}",
            code="git-failed",
        )
    return output


def attempt(
    repository: Path,
    *arguments: str,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    quarantine: bool = False,
) -> tuple[int, bytes, bytes]:
    """Run git where a non-zero exit is an answer: return exit code, output, error output."""
    env = clean_environment(QUARANTINE if quarantine else ()) | dict(environment or {})
    try:
        done = subprocess.run(
            ["git", "-C", os.fspath(repository), *arguments],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env=env,
            check=False,
        )
    except FileNotFoundError:
        raise OutsideError(
            "git is not installed, or not on PATH", "Install git 2.34 or newer.", code="git-missing"
        ) from None
    return done.returncode, done.stdout, done.stderr
