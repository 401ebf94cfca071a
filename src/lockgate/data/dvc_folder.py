"""The folder `.dvc`, as `dvc init` makes it, so that DVC finds a project of its own."""

from __future__ import annotations

import os

from lockgate.data.writing import write_whole

#: dvc, `repo/init.py`, `config.py` (`Config.init`) and `ignore.py` (`init`).
_IGNORED = b"/config.local\n/tmp\n/cache\n"
_DVCIGNORE = b"""\
# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
"""


def ensure_dvc_folder(root: str) -> None:
    """Make what is not there yet of `.dvc` and `.dvcignore`; nothing that is there changes."""
    is_new = not os.path.exists(f"{root}/.dvc/config")
    if not is_new and os.path.exists(f"{root}/.dvc/.gitignore"):
        return
    os.makedirs(f"{root}/.dvc/tmp", exist_ok=True)
    # First of all, so that git never takes the store for files of the project
    if not os.path.exists(f"{root}/.dvc/.gitignore"):
        write_whole(f"{root}/.dvc/.gitignore", _IGNORED)
    if is_new and not os.path.exists(f"{root}/.dvcignore"):
        write_whole(f"{root}/.dvcignore", _DVCIGNORE)
    if is_new:
        write_whole(f"{root}/.dvc/config", b"")
