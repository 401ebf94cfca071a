"""Calling uv: a clean environment, and its errors in one line of words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import uv

from lockgate.errors import LockgateError, OutsideError, UserError

#: Variables of a shell, notebook server or hook around the hub that would lead uv or a build astray, and
#: the hub's own, among them how to reach its database.
_ASTRAY = (
    "CONDA_", "PYTHON", "GIT_", "__PYVENV", "VIRTUAL_ENV", "SOURCE_DATE_EPOCH", "UV_PROJECT", "LOCKGATE_"
)  # fmt: skip
_ASTRAY_EXACTLY = ("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_REQUIRE_HASHES", "UV_CONSTRAINT", "UV_OVERRIDE")

_DISK = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
_NETWORK = (
    "error sending request", "dns error", "Connection refused", "Connection reset", "timed out",
    "Network is unreachable", "Could not connect", "503 Service", "502 Bad Gateway", "429 Too Many",
    "Network connectivity is disabled",
)  # fmt: skip
_UNTRUSTED = ("invalid peer certificate", "UnknownIssuer")
_CAUSE_AT_MOST = 400


@cache
def program() -> str:
    """Return the path of uv. Raises `OutsideError` (`uv-missing`)."""
    try:
        return os.fspath(uv.find_uv_bin())
    except FileNotFoundError:
        raise OutsideError(
            "uv is not installed beside Lockgate", "Install it: python -m pip install uv", code="uv-missing"
        ) from None


def environment() -> dict[str, str]:
    """Return the hub's environment without what would lead uv astray; the operator's UV_ settings stay."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_ASTRAY) and name not in _ASTRAY_EXACTLY
    }
    return kept | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "LC_ALL": "C.UTF-8"}


def attempt(
    arguments: Sequence[str],
    folder: Path,
    log: Path | None = None,
    isolated: Callable[[Sequence[str]], list[str]] = list,
) -> tuple[int, str, str]:
    """Run uv in `folder`: return exit code, output, and what it said (also appended to `log`).

    `isolated` makes of the command one that keeps packages that are built from what they may not see.
    """
    command = isolated([program(), *arguments])
    if log is None:
        done = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    with log.open("ab") as file:
        file.write(f"$ uv {' '.join(arguments)}\n".encode())
        file.flush()
        start = file.tell()
        code = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
    with log.open("rb") as file:
        file.seek(start)
        return code, "", file.read().decode("utf-8", "replace")


def decisive_line(said: str) -> str:
    """Return the one thing to know of what uv said when it failed, as one line.

    uv prints `error: …` and its causes as `cause: …`, `Caused by: …` or a tree of `×` and `╰─▶`; the
    innermost cause is the one that tells, up to the first blank line after it.
    """
    text = said.replace("\r", "")
    marks = list(re.finditer(r"^\s*(?:error:|cause:|Caused by:|×|├─▶|╰─▶)\s*", text, re.MULTILINE))
    if not marks:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:_CAUSE_AT_MOST] if lines else "uv said nothing"
    chosen = marks[-1]
    lines = []
    for line in text[chosen.end() :].splitlines():
        if (not line.strip() and lines) or re.match(r"\s*(hint:|\^+$)", line):
            break
        lines.append(line.strip(" │"))
    return re.sub(r"\s+", " ", " ".join(lines)).strip()[:_CAUSE_AT_MOST]


def failure(said: str, doing: str, hint: str, code: str) -> LockgateError:
    """Return the error for a call of uv that failed: a full disk, a network, else the project's own fault."""
    line = decisive_line(said)
    if any(mark in said for mark in _DISK):
        return disk_full(doing)
    if any(mark in said for mark in _UNTRUSTED):
        return OutsideError(
            f"{doing} failed, the package index is not trusted: {line}",
            "The hub's operator writes `system-certs = true` into ~/.config/uv/uv.toml of the hub's account; "
            "what a login shell sets does not reach a push over ssh.",
            code="index-unreachable",
        )
    if any(mark in said for mark in _NETWORK):
        return OutsideError(
            f"{doing} failed, the package index cannot be reached: {line}",
            "Try again; if it stays so, the hub's operator checks the network and UV_DEFAULT_INDEX.",
            code="index-unreachable",
            is_transient=True,
        )
    return UserError(f"{doing} failed: {line}", hint, code=code)


def disk_full(doing: str) -> OutsideError:
    """Return the error for a disk without room."""
    return OutsideError(
        f"{doing} failed: the hub's disk is full", "Make room on it, then run again.", code="disk-full"
    )
