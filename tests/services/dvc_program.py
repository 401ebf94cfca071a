"""The real DVC, in a virtual environment of its own that is kept between test sessions."""

from __future__ import annotations

import os
import shutil
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
    uv_cache = Path(os.environ["UV_CACHE_DIR"])
    home = uv_cache.parent / "lockgate-tests" / f"dvc-{sys.version_info.major}.{sys.version_info.minor}"
    program = home / "bin" / "dvc"
    stamp = home / "lock.txt"
    if not (stamp.exists() and stamp.read_text() == _LOCK.read_text()):
        draft = home.with_name(f"{home.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        uv = Path(sys.executable).parent / "uv"
        words: list[Path | str] = [
            "pip",
            "install",
            "-q",
            "--require-hashes",
            "--python",
            draft / "bin" / "python",
            "-r",
            _LOCK,
        ]
        commands: tuple[list[Path | str], ...] = (
            [uv, "venv", "-q", "--relocatable", "-p", sys.executable, draft],
            [uv, *words],
        )
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"NOT TESTED: DVC: {done.stderr.strip()[-300:]}")
        (draft / "lock.txt").write_text(_LOCK.read_text())
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)
    return program
