"""Opening what was carried back from a worker: the workspace, and what the job and its wrapper noted."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
from pathlib import Path

from lockgate.backends.htcondor.description import PARCEL
from lockgate.errors import OutsideError
from lockgate.runs.exitrecord import RAW

_OPEN, _BEFORE = ".htcondor.open", ".htcondor.before"


def open_parcel(job_folder: str) -> None:
    """Put what a job left on its worker into its folder; begun and cut short, it is begun again. The record
    of its end comes last, so that a folder with one is whole.

    Raises `OutsideError`: `job-folder` where the disk refuses, transient; `htcondor-parcel` where what was
    carried is broken.
    """
    folder = Path(job_folder)
    parcel, opened, before = folder / PARCEL, folder / _OPEN, folder / _BEFORE
    try:
        if not parcel.is_file():
            return
        _clear(opened)
        opened.mkdir()
        with tarfile.open(parcel) as tar:
            tar.extractall(opened, filter="tar")
        if (opened / "workspace").is_dir():
            _clear(before)
            with contextlib.suppress(FileNotFoundError):
                (folder / "workspace").rename(before)
            (opened / "workspace").rename(folder / "workspace")
        for each in sorted(opened.iterdir(), key=lambda path: path.name == RAW):
            target = folder / each.name
            if target.is_dir() and not target.is_symlink():
                _clear(target)
            each.replace(target)
        parcel.unlink()
        _clear(opened)
        _clear(before)
    except (tarfile.TarError, EOFError) as error:
        raise OutsideError(
            f"what HTCondor carried back into {parcel} is broken: {error}",
            "The worker's or the hub's disk may have been full; run the stage again.",
            code="htcondor-parcel",
        ) from None
    except OSError as error:
        raise OutsideError(
            f"{error.filename or folder} could not be written: {error.strerror}",
            "Make room on that disk, or give it back; what the job made is put in place then.",
            code="job-folder",
            is_transient=True,
        ) from None


def _clear(path: Path) -> None:
    """Remove a folder with all in it, also what its job made read-only."""
    if not path.exists():
        return
    for root, folders, _ in os.walk(path):
        for each in folders:
            inner = Path(root, each)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(path)
