"""What a run made, seen from a work tree: listed, and read a file at a time, whatever hub it has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from lockgate.errors import UserError
from lockgate.git.contents import read_many
from lockgate.hub.indexing.queries import RunView
from lockgate.hub.reaching.address import Address, LocalHub
from lockgate.hub.showing import artifact_content
from lockgate.hub.showing.artifact_content import File, files_in_git, kind_of
from lockgate.hub.worktree.fetching import fetch_commit, objects_of
from lockgate.runs.record import Artifact

#: So many files of one run are listed.
LISTED_AT_MOST = 2000


class Results:
    """The results of one run. What git holds comes with its result commit, the rest from the hub's store."""

    def __init__(self, root: Path, place: Address, view: RunView) -> None:
        self._root = root
        self._place = place
        self._view = view

    def files(self) -> list[File]:
        """Return the files that were made, at most `LISTED_AT_MOST`.

        Raises `OutsideError`: `store-missing`, `hub-unreachable`, `git-failed`.
        """
        return list(islice(self._all(), LISTED_AT_MOST))

    def read(self, path: str, limit_bytes: int) -> bytes:
        """Return the bytes of a file that was made, at most so many.

        Raises `UserError` (`artifact-unknown`) and what `files` raises.
        """
        file = self._find(path)
        if isinstance(self._place, LocalHub):
            return artifact_content.read_file(self._place.hub, self._place.project, file, limit_bytes)
        if file.git is not None:
            self._bring_commit()
            found = next(read_many(self._root, [file.git]), None)
            if found is not None:
                return found.content[:limit_bytes]
        with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
            target = Path(folder) / "content"
            objects_of(self._root, self._place).bring([file.md5 or ""], _copying(target))
            with target.open("rb") as stream:
                return stream.read(limit_bytes)

    def _find(self, path: str) -> File:
        for artifact in self._view.artifacts:
            if path == artifact.path or path.startswith(artifact.path.rstrip("/") + "/"):
                for file in self._of(artifact):
                    if file.path == path:
                        return file
        raise UserError(
            f"the run made no file {path}", "What it made stands in its list.", code="artifact-unknown"
        )

    def _all(self) -> Iterator[File]:
        for artifact in self._view.artifacts:
            yield from self._of(artifact)

    def _of(self, artifact: Artifact) -> Iterator[File]:
        if isinstance(self._place, LocalHub):
            yield from artifact_content.files_of(self._place.hub, self._place.project, artifact)
        elif not artifact.md5.endswith(".dir"):
            yield File(
                path=artifact.path,
                kind=artifact.kind,
                size_bytes=artifact.size_bytes,
                git=artifact.git,
                md5=artifact.md5,
            )
        elif artifact.git is not None:
            self._bring_commit()
            yield from files_in_git(self._root, artifact, LISTED_AT_MOST)
        else:
            listings = objects_of(self._root, self._place).listings([artifact.md5])
            for listed in listings[artifact.md5]:
                inside = f"{artifact.path}/{listed.relpath}"
                yield File(path=inside, kind=kind_of(inside, artifact.kind), size_bytes=0, md5=listed.md5)

    def _bring_commit(self) -> None:
        if self._view.result_commit is not None:
            fetch_commit(self._root, self._view.result_commit)


def _copying(target: Path) -> Callable[[str, Path], None]:
    def take(_: str, file: Path) -> None:
        shutil.copyfile(file, target)

    return take
