"""A stage with exactly the inputs its job saw, in a folder apart: to look, to try, to mend."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lockgate.data.store import Store
from lockgate.errors import UserError
from lockgate.git.contents import read_many
from lockgate.git.exclude import exclude
from lockgate.git.listing import (
    EXECUTABLE,
    FILE,
    FOLDER,
    LINK,
    STORED,
    STORED_EXECUTABLE,
    STORED_FOLDER,
    Entry,
)
from lockgate.hub.indexing.queries import RunView
from lockgate.hub.reaching.address import Address
from lockgate.hub.showing.artifact_content import files_in_git
from lockgate.hub.worktree.fetching import Objects, fetch_commit, objects_of
from lockgate.project.graph import upstream
from lockgate.project.pipeline import Stage
from lockgate.project.snapshot import CommitSource
from lockgate.runs.load import load
from lockgate.runs.record import Artifact
from lockgate.runs.runid import short

#: Not hidden: a Jupyter server opens no file of a hidden folder.
FOLDER_OF_ALL = "lockgate.open"
_FILES_AT_MOST = 1_000_000


class Opened(msgspec.Struct, frozen=True):
    """`folder` is below the project's root, `notebook` in that folder; None: the stage is a command."""

    folder: str
    notebook: str | None
    command: str | None
    files: int
    is_new: bool
    """It was made just now; else it was there, with what was edited in it since."""


def open_stage(root: Path, place: Address, view: RunView, name: str) -> Opened:
    """Lay out a stage of a run as its job found it, in a folder that git ignores. What is there stays.

    Raises `UserError`: `stage-unknown`, `inputs-unknown`; `OutsideError`: `store-missing`, `hub-unreachable`.
    """
    record = view.records.get(name)
    commit = record.commit if record is not None else view.line.commit
    fetch_commit(root, commit)
    if view.result_commit is not None:
        fetch_commit(root, view.result_commit)
    loaded = load(CommitSource(root, commit), view.params, "")
    above = upstream(loaded.pipeline)
    stage = next((each for each in loaded.pipeline.stages if each.name == name), None)
    if stage is None:
        named = ", ".join(list(above)[:20])
        raise UserError(f"there is no stage {name}", f"The run's stages: {named}", code="stage-unknown")
    folder = f"{FOLDER_OF_ALL}/{short(view.line.id)}-{_safe(name)}"
    if (root / folder).exists():
        return _opened(root, folder, stage, is_new=False)
    inputs = loaded.inputs.of(name, _all_above(name, above))
    made = {path: _made(view, path, maker, name) for path, maker in inputs.artifacts}
    draft = root / FOLDER_OF_ALL / f".{os.urandom(6).hex()}"
    exclude(root, [FOLDER_OF_ALL])
    try:
        draft.mkdir(parents=True)
        _lay_out(root, place, draft, dict(inputs.files), made)
        for each in stage.makes:
            (draft / each).parent.mkdir(parents=True, exist_ok=True)
        draft.rename(root / folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return _opened(root, folder, stage, is_new=True)


def _opened(root: Path, folder: str, stage: Stage, *, is_new: bool) -> Opened:
    count = sum(len(names) for _, _, names in os.walk(root / folder))
    return Opened(folder, stage.notebook, stage.command, count, is_new)


def _all_above(name: str, above: Mapping[str, tuple[str, ...]]) -> list[str]:
    found: dict[str, None] = {}
    pending = list(above.get(name, ()))
    while pending:
        other = pending.pop()
        if other not in found:
            found[other] = None
            pending += above.get(other, ())
    return list(found)


def _made(view: RunView, path: str, maker: str, stage: str) -> Artifact:
    record = view.records.get(maker)
    for artifact in record.artifacts if record is not None else ():
        if artifact.path == path:
            return artifact
    raise UserError(
        f"stage {stage} had not all its inputs in run {short(view.line.id)}: {maker} did not make {path}",
        f"Look at {maker} first.",
        code="inputs-unknown",
    )


class _Wanted:
    """What is to lie in the folder: git's blobs by path; objects of the store, and its folders, by digest."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.blobs: dict[str, Entry] = {}
        self.stored: dict[str, list[str]] = {}
        self.folders: dict[str, list[str]] = {}

    def add_source(self, path: str, entry: Entry) -> None:
        if entry.mode in (STORED, STORED_EXECUTABLE):
            self.stored.setdefault(entry.id, []).append(path)
        elif entry.mode == STORED_FOLDER:
            self.folders.setdefault(entry.id + ".dir", []).append(path)
        else:
            self.blobs[path] = entry

    def add_made(self, path: str, artifact: Artifact) -> None:
        if artifact.git is None:
            into = self.folders if artifact.mode == FOLDER else self.stored
            into.setdefault(artifact.md5, []).append(path)
        elif artifact.mode == FOLDER:
            for file in files_in_git(self._root, artifact, _FILES_AT_MOST):
                self.blobs[file.path] = Entry(FILE, file.git or "")
        else:
            self.blobs[path] = Entry(artifact.mode, artifact.git)


def _lay_out(
    root: Path, place: Address, target: Path, files: Mapping[str, Entry], made: Mapping[str, Artifact]
) -> None:
    wanted = _Wanted(root)
    for path, entry in files.items():
        wanted.add_source(path, entry)
    for path, artifact in made.items():
        wanted.add_made(path, artifact)
    contents = read_many(root, [entry.id for entry in wanted.blobs.values()])
    for (path, entry), found in zip(wanted.blobs.items(), contents, strict=True):
        if found is not None:
            _write(target, path, found.content, entry.mode)
    if wanted.stored or wanted.folders:
        _bring(objects_of(root, place), target, wanted)


def _bring(source: Objects, target: Path, wanted: _Wanted) -> None:
    places = {md5: list(paths) for md5, paths in wanted.stored.items()}
    if wanted.folders:
        for digest, listed in source.listings(list(wanted.folders)).items():
            for each in listed:
                inside = [posixpath.join(path, each.relpath) for path in wanted.folders[digest]]
                places.setdefault(each.md5, []).extend(inside)

    def put(md5: str, file: Path) -> None:
        for path in places[md5]:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            Store.copy_file(file, target / path)

    source.bring(list(places), put)


def _write(target: Path, path: str, content: bytes, mode: int) -> None:
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if mode == LINK:
        place.symlink_to(os.fsdecode(content))
        return
    place.write_bytes(content)
    if mode == EXECUTABLE:
        place.chmod(0o755)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_.=" else "_" for letter in name)[:80]
