"""Interpreters of Python on the hub's machine, found by their version."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.hub.software import uv
from lockgate.hub.software.runtime_folder import write_whole


class Pythons:
    """The interpreters of one machine; what was found is kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, tuple[str, str, int]] = {}

    def find(self, version: str | None) -> tuple[Path, str]:
        """Return an interpreter of a version as `3.11` and its full version; None: the one the hub runs on.

        What was found is kept, and looked for anew when the interpreter's file changed. Raises `UserError`
        (`python-missing`).
        """
        own = Path(getattr(sys, "_base_executable", None) or sys.executable)
        full = platform.python_version()
        if version is None or f"{full}.".startswith(f"{version}."):
            return own, full
        if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
            raise UserError(
                f"{version!r} is no Python version", 'Write it as python = "3.11".', code="python-missing"
            )
        known = self._found.get(version) or self._kept().get(version)
        if known is None or _changed_at(known[0]) != known[2]:
            known = _look_for_python(version, self._folder if self._folder.exists() else Path("/"))
            kept = self._kept() | {version: known}
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / "pythons.json", json.dumps(kept).encode())
        self._found[version] = known
        return Path(known[0]), known[1]

    def _kept(self) -> dict[str, tuple[str, str, int]]:
        try:
            return msgspec.json.decode(
                (self._folder / "pythons.json").read_bytes(), type=dict[str, tuple[str, str, int]]
            )
        except (OSError, msgspec.DecodeError):
            return {}


def _look_for_python(version: str, folder: Path) -> tuple[str, str, int]:
    code, output, said = uv.attempt(["python", "find", "--no-project", "--system", version], folder)
    if code == 0:
        ask = "import platform, sys; print(sys.executable); print(platform.python_version())"
        answer = subprocess.run(
            [output.strip(), "-I", "-c", ask],
            capture_output=True,
            text=True,
            check=False,
            env=uv.environment(),
        )
        if answer.returncode == 0:
            path, full = answer.stdout.splitlines()[:2]
            return path, full, _changed_at(path)
        said = answer.stderr
    raise UserError(
        f"Python {version} is not on the hub: {uv.decisive_line(said)}",
        f"On the hub, type: uv python install {version}; or choose another version in [runtime].",
        code="python-missing",
    )


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return -1
