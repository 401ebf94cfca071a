"""Where a project's files are read from: a commit, or the work tree as it is. No libgit2 here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from lockgate.errors import OutsideError
from lockgate.git.batch import Batch
from lockgate.git.contents import read_many
from lockgate.git.listing import EXECUTABLE, FILE, LINK, Entry, Listing, blob_id, parse_ls_tree
from lockgate.git.program import attempt, git
from lockgate.git.worktree import changes


class Source(Protocol):
    """Files by path, all of one moment."""

    def files(self) -> Listing:
        """Return every file, link and submodule."""

    def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the content of these files, a link's target for a link; what is not there is left out."""


class CommitSource:
    """A commit in a repository, also one of a push under way (`is_quarantined`); content comes by a `batch`
    where one is given."""

    def __init__(
        self, repository: Path, commit: str, *, is_quarantined: bool = False, batch: Batch | None = None
    ) -> None:
        self._repository = repository
        self._commit = commit
        self._is_quarantined = is_quarantined
        self._batch = batch
        self._files: Listing | None = None

    def files(self) -> Listing:
        if self._files is None:
            self._files = self._batch.listing(self._commit) if self._batch is not None else self._asked()
        return self._files

    def _asked(self) -> Listing:
        output = git(
            self._repository,
            "ls-tree", "-r", "-z", "--full-tree", self._commit,
            quarantine=self._is_quarantined,
        )  # fmt: skip
        return parse_ls_tree(output)

    def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        here = [path for path in paths if path in self.files()]
        ids = [self.files()[path].id for path in here]
        if self._batch is not None:
            found = self._batch.read_many(ids)
        else:
            found = read_many(self._repository, ids, is_quarantined=self._is_quarantined)
        return {path: content.content for path, content in zip(here, found, strict=True) if content}


class WorktreeSource:
    """The work tree as it is, uncommitted and untracked files too, ignored ones left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: Listing | None = None
        self._branch: str | None = None

    def files(self) -> Listing:
        if self._files is None:
            self._files = self._look()
        return self._files

    @property
    def branch(self) -> str | None:
        """The branch checked out when the files were looked at; None: HEAD is detached."""
        self.files()
        return self._branch

    def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for path in paths:
            place = self.root / path
            try:
                found[path] = os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except OSError as error:
                raise OutsideError(
                    f"{path} cannot be read: {error.strerror}", "Look at its rights.", code="file-unreadable"
                ) from error
        return found

    def _look(self) -> dict[str, Entry]:
        now = changes(self.root)
        self._branch = now.branch
        files = dict(_held(self.root, now.head)) if now.head is not None else {}
        for path in now.deleted:
            files.pop(path, None)
        altered = [*now.changed, *now.untracked]
        filtered = self._filtered([path for path in altered if path.endswith(".ipynb")])
        for path, content in self.read(altered).items():
            place = self.root / path
            mode = LINK if place.is_symlink() else EXECUTABLE if os.access(place, os.X_OK) else FILE
            files[path] = Entry(mode, filtered.get(path) or blob_id(content))
        return files

    def _filtered(self, notebooks: Sequence[str]) -> dict[str, str]:
        """Return the ids that git would give notebooks, of which it may get less than the files hold."""
        plain = [path for path in notebooks if "\n" not in path and (self.root / path).is_file()]
        if not plain or attempt(self.root, "config", "--get-regexp", r"^filter\.")[0] != 0:
            return {}
        asked = "".join(f"{path}\n" for path in plain).encode("utf-8", "surrogateescape")
        output = git(self.root, "hash-object", "--stdin-paths", stdin=asked)
        return dict(zip(plain, output.decode().split(), strict=True))


@lru_cache(maxsize=2)
def _held(root: Path, commit: str) -> Listing:
    """Return what a commit holds; who stays, as a Jupyter server, asks for the same one after each save."""
    return parse_ls_tree(git(root, "ls-tree", "-r", "-z", "--full-tree", commit))
