"""The bytes of an artifact, file by file, for whoever compares them."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.hub.artifact_content import files_of, read_file
from lockgate.hub.directory import Hub
from lockgate.runs.record import Artifact
from lockgate.verify.artifacts import MOST_BYTES, Content

#: More files than this of one folder are not compared by kind.
MOST_FILES = 100_000


def bytes_of(hub: Hub, project: str, artifact: Artifact) -> Iterator[Content]:
    """Yield the files of an artifact with what reads them. Raises `OutsideError`: `store-missing`."""
    for file in files_of(hub, project, artifact, MOST_FILES):
        inside = file.path[len(artifact.path) :].lstrip("/")

        def read(file: object = file) -> bytes:
            return read_file(hub, project, file, MOST_BYTES + 1)  # type: ignore[arg-type]

        yield Content(inside, file.size_bytes, file.md5 or file.git or "", read)
