"""The real DVC, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from locked_environment import locked_environment


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
    return locked_environment("dvc") / "dvc"
