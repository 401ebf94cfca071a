"""A virtual environment of its own with the packages of one lock, kept between test sessions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

_LOCKS = Path(__file__).parents[2] / "requirements"


def locked_environment(name: str) -> Path:
    """Return the folder of its programs, installed as `requirements/NAME.txt` says; skips loudly where it
    cannot be had."""
    cache = Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"
    lock = _LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = f"{name}-{sys.version_info.major}.{sys.version_info.minor}-{digest}"
    home = cache / folder
    cache.mkdir(parents=True, exist_ok=True)
    # Workers of one session, and sessions, come here at the same time
    with (cache / f"{folder}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "whole").exists():
            _install(home, lock)
    return home / "bin"


def _install(home: Path, lock: Path) -> None:
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
        [uv, *words, "-r", lock],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"NOT TESTED: {lock.stem}: {done.stderr.strip()[-300:]}")
    (home / "whole").touch()
