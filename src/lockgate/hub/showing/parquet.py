"""A part of a Parquet file, read by a process that may fail without harm."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import msgspec

from lockgate.hub.directory import Hub
from lockgate.hub.showing.artifact_content import File, read_file, stored_at
from lockgate.hub.showing.parquet_reader import Answer, Question

#: A page waits for so long at most.
PATIENCE_S = 30.0
#: Of those in git, which are small anyway, so much is read.
_IN_GIT_BYTES = 100_000_000
_AT_ONCE = threading.BoundedSemaphore(2)


def read_parquet(hub: Hub, project: str, file: File, asked: Question) -> Answer:
    """Return the rows asked for, or the problem in words. Raises `OutsideError`: `store-missing`."""
    place = stored_at(hub, file)
    if place is not None:
        return _ask(place, asked)
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        copy.write(read_file(hub, project, file, _IN_GIT_BYTES))
        copy.flush()
        return _ask(Path(copy.name), asked)


def _ask(place: Path, asked: Question) -> Answer:
    words = [sys.executable, "-I", "-m", "lockgate.hub.showing.parquet_reader", str(place)]
    with _AT_ONCE:
        try:
            done = subprocess.run(
                words, input=msgspec.json.encode(asked), capture_output=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Answer(problem=f"reading it takes more than {PATIENCE_S:.0f} s")
    try:
        return msgspec.json.decode(done.stdout, type=Answer)
    except msgspec.DecodeError:
        return Answer(problem="it cannot be read within the limits of memory and time, or is broken")
