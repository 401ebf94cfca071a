"""The real DVC, in a virtual environment of its own that is kept between test sessions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

_LOCK = Path(__file__).parents[2] / "requirements" / "dvc.txt"


class Dvc:
    """Calls of `dvc` in one folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        """Return what it printed; fails with its words where it fails."""
        # Its own cache of file times lies in the site cache, by the folder's inode: not a test's before
        environment = os.environ | {
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "dvc-site"),
        }
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def dvc_program() -> Path:
    """Return the program, installed as locked; skips loudly where it cannot be had."""
    cache = Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"
    lock = _LOCK.read_bytes()
    name = f"dvc-{sys.version_info.major}.{sys.version_info.minor}-{hashlib.sha256(lock).hexdigest()[:12]}"
    home = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    # Workers of one session, and sessions, come here at the same time
    with (cache / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "whole").exists():
            _install(home)
    return home / "bin" / "dvc"


def _install(home: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    words: list[Path | str] = [
        "pip",
        "install",
        "-q",
        "--require-hashes",
        "--python",
        home / "bin" / "python",
    ]
    commands: tuple[list[Path | str], ...] = (
        [uv, "venv", "-q", "--clear", "-p", sys.executable, home],
        [uv, *words, "-r", _LOCK],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"NOT TESTED: DVC: {done.stderr.strip()[-300:]}")
    (home / "whole").touch()
