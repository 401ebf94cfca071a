"""The bytes of an artifact, file by file, for whoever compares them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from lockgate.hub.directory import Hub
from lockgate.hub.showing.artifact_content import File, files_of, read_file, stored_at
from lockgate.runs.record import Artifact
from lockgate.verify.artifacts import MOST_BYTES, Content

#: More files than this of one folder are not compared by kind.
MOST_FILES = 100_000


def bytes_of(hub: Hub, project: str, artifact: Artifact) -> Iterator[Content]:
    """Yield the files of an artifact with what reads them. Raises `OutsideError`: `store-missing`."""
    for file in files_of(hub, project, artifact, MOST_FILES):
        inside = file.path[len(artifact.path) :].lstrip("/")

        yield Content(
            inside,
            file.size_bytes,
            file.md5 or file.git or "",
            partial(read_file, hub, project, file, MOST_BYTES + 1),
            partial(_open, hub, project, file),
        )


def _open(hub: Hub, project: str, file: File) -> BinaryIO:
    place = stored_at(hub, file)
    # What git holds is small, unless a project wants it otherwise
    return (
        place.open("rb") if place is not None else io.BytesIO(read_file(hub, project, file, file.size_bytes))
    )
