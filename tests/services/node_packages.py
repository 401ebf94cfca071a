"""Programs of Node that tests need, installed once as their lock says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def node_packages(folder: Path, what: str) -> Path:
    """Return where the packages of a folder's lock are; skip loudly where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"NOT TESTED: {what} needs Node and npm")
    lock = folder / "package-lock.json"
    cache = Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"
    place = cache / f"{folder.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with Path(f"{place}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (place / "done").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, place)
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode != 0:
                pytest.skip(f"NOT TESTED: {what} cannot be installed: {done.stderr[-300:]}")
            (place / "done").touch()
    return place
