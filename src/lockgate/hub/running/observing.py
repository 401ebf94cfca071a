"""Taking in the notes on what a job really used, which lie in a folder that the job can write to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lockgate.hub.planning.preparation import Prepared
from lockgate.runs.jobscript import OBSERVED, given_names
from lockgate.runs.observation import Declared, Observation, observation
from lockgate.runs.workspace import Inventory

#: More than the observer ever writes of a stage that does nothing strange.
_LONGEST_BYTES = 8_000_000


def observed(prepared: Prepared, stage: str, folder: Path, inventory: Inventory) -> Observation | None:
    """Return what this attempt of a stage used; None: the project does not ask for it."""
    if not prepared.loaded.pipeline.is_observed:
        return None
    declared = prepared.planner.stage(stage)
    inputs = prepared.loaded.inputs
    known = {*inputs.known, *inputs.made}
    return observation(
        _notes(folder / OBSERVED, "calls"),
        _notes(folder / OBSERVED, "variables"),
        Declared(
            needs=declared.needs,
            placed={placed.path for placed in inventory if not placed.origin.startswith(">")},
            known=known.__contains__,
            makes=declared.makes,
            given=given_names(),
            allowed=prepared.loaded.pipeline.undeclared,
        ),
    )


def _notes(folder: Path, name: str) -> bytes:
    """Return a file's bytes; nothing of what is no plain file: a link could lead to what is not the job's,
    a pipe would be waited for."""
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(name, flags, dir_fd=place)
        finally:
            os.close(place)
    except OSError:
        return b""
    with open(file, "rb") as opened:  # noqa: PTH123 (a descriptor)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return b""
        return opened.read(_LONGEST_BYTES)
