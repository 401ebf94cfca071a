"""The real DVC, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from locked_environment import locked_environment


class Dvc:
    """Calls of `dvc` in one folder; with another environment than this process has, if it is given."""

    def __init__(self, program: Path, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._program = program
        self.folder = folder
        self._environment = os.environ if environment is None else environment

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Return what it printed; fails with its words where it ends with another code."""
        # Its own cache of file times lies in the site cache, by the folder's inode: not a test's before
        environment = dict(self._environment) | {
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
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr


def dvc_program() -> Path:
    """Return the program, installed as locked; skips loudly where it cannot be had."""
    return locked_environment("dvc") / "dvc"
