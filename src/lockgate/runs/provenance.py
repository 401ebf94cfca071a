"""What a file of a work tree was made from, by its lock file and git. No hub is asked.

Works in any clone: lock file and history travel with the repository.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from lockgate.data.digest import Listed, folder_listing, md5_of, md5_of_file
from lockgate.errors import LockgateError, UserError
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.snapshot import WorktreeSource
from lockgate.runs.load import Loaded, load
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.trace import Made, Step, find, trace, under

#: So many earlier versions of the lock file are searched for a content that the present one does not know.
VERSIONS_SEARCHED = 200


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What made an artifact, up to the sources."""

    path: str
    artifact: Artifact
    """The artifact itself, or the folder it lies in."""
    record: StageRecord
    steps: tuple[Step, ...]
    is_here: bool
    """The work tree has it."""
    is_recorded: bool
    """What the work tree has is what `record` made."""
    lock_commit: str | None = None
    """The commit whose lock file knows this content, where the present one does not."""


class Commit(msgspec.Struct, frozen=True):
    id: str
    author: str
    at: str
    subject: str


class SourceOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """A file that no stage makes."""

    path: str
    last_change: Commit | None
    """None: not committed yet."""
    is_changed: bool
    """The work tree has it otherwise than the last commit."""
    needed_by: tuple[str, ...]
    problem: str | None = None
    """Why the stages cannot be told."""


def path_in(root: Path, path: str) -> str:
    """Return a path typed in the current folder as the project names it; the root is `.`.

    Raises `UserError` (`path-outside`).
    """
    here = Path.cwd() / path
    # The last part may be a link that is itself a file of the project
    place = here.parent.resolve() / here.name if here.name not in ("", "..") else here.resolve()
    try:
        inside = place.relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UserError(
            f"{path} is not in the project {root}", "Name a file of this project.", code="path-outside"
        ) from None
    return inside


def explain(root: Path, path: str) -> Origin | SourceOrigin:
    """Return where the file or folder at a path (as the project names it) comes from.

    Raises `UserError`: `file-unknown`, `not-recorded` (declared, but no run of it is recorded),
    `lock-damaged`, `path-ambiguous` (a folder with several artifacts in it).
    """
    if path == ".":
        raise UserError("this is the whole project", "Name a file or folder in it.", code="file-unknown")
    lock = _lock(root)
    made = find(lock, path)
    if made is not None:
        return _origin(root, path, lock, made)
    inside = under(lock, path)
    if inside:
        raise UserError(
            f"{path} holds {len(inside)} artifacts",
            f"Name one: {', '.join(inside[:5])}",
            code="path-ambiguous",
        )
    if (root / path).is_file():
        earlier = _earlier(root, path, None)
        if earlier is not None:
            commit, records, found = earlier
            return _of(path, records, found, True, True, commit)
    return _source(root, path)


def _lock(root: Path) -> dict[str, StageRecord]:
    try:
        return read_lock((root / LOCK_FILE).read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        return {}


def _origin(root: Path, path: str, lock: Mapping[str, StageRecord], made: Made) -> Origin:
    is_here = os.path.lexists(root / path)
    is_same = is_here and _is_as_recorded(root, path, made.artifact)
    if is_here and not is_same:
        earlier = _earlier(root, made.artifact.path, made.artifact)
        if earlier is not None:
            commit, records, found = earlier
            return _of(path, records, found, True, True, commit)
    return _of(path, lock, made, is_here, is_same, None)


def _of(
    path: str,
    records: Mapping[str, StageRecord],
    made: Made,
    is_here: bool,
    is_same: bool,
    commit: str | None,
) -> Origin:
    return Origin(
        path=path,
        artifact=made.artifact,
        record=made.record,
        steps=tuple(trace(records, made.record.stage)),
        is_here=is_here,
        is_recorded=is_same,
        lock_commit=commit,
    )


def _is_as_recorded(root: Path, path: str, artifact: Artifact) -> bool:
    """Compare a file of a folder artifact by itself where git holds the folder, else all the folder."""
    if path != artifact.path and artifact.git is not None:
        inside = path[len(artifact.path) + 1 :]
        code, wanted, _ = attempt(root, "rev-parse", "--verify", "--quiet", f"{artifact.git}:{inside}")
        if code == 0 and (root / path).is_file():
            _, found, _ = attempt(root, "hash-object", "--no-filters", "--", path)
            return found == wanted
    return digest_of(root / artifact.path) == artifact.md5


def digest_of(place: Path) -> str | None:
    """Return the digest under which a run would record what is at a place; None where nothing can be read."""
    try:
        if place.is_file():
            return md5_of_file(place)
        if not place.is_dir():
            return None
        listed = [
            Listed(md5_of_file(file), posixpath.join(*file.relative_to(place).parts)) for file in _walk(place)
        ]
    except OSError:
        return None
    return md5_of(folder_listing(listed)) + ".dir"


def _walk(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        for name in names:
            place = Path(here) / name
            if stat.S_ISREG(place.stat().st_mode):
                yield place


def _earlier(
    root: Path, path: str, known: Artifact | None
) -> tuple[str, dict[str, StageRecord], Made] | None:
    """Find the newest version of the lock file, on any branch, that knows this content at this path."""
    digest = digest_of(root / path)
    if digest is None or (known is not None and digest == known.md5):
        return None
    count = f"--max-count={VERSIONS_SEARCHED}"
    code, output, _ = attempt(root, "log", "--all", count, "--format=%H", "--", LOCK_FILE)
    commits = output.decode().split() if code == 0 else []
    seen: set[str] = set()
    for commit, content in zip(
        commits, read_many(root, [f"{commit}:{LOCK_FILE}" for commit in commits]), strict=True
    ):
        if content is None or content.id in seen or digest.encode() not in content.content:
            continue
        seen.add(content.id)
        with contextlib.suppress(UserError):
            records = read_lock(content.content)
            made = find(records, path)
            if made is not None and made.artifact.md5 == digest:
                return commit, records, made
    return None


def _source(root: Path, path: str) -> SourceOrigin:
    source = WorktreeSource(root)
    loaded, problem = _load(source, root.name)
    if loaded is not None:
        maker = loaded.inputs.maker(path)
        if maker is not None:
            raise UserError(
                f"stage {maker} makes {path}, but no run of it is recorded here",
                "Run it: lockgate run; or take the hub's results: git pull hub",
                code="not-recorded",
            )
    files = source.files()
    pointer = _pointer_of(loaded, path) if loaded is not None else None
    if pointer is None and path not in files and not any(name.startswith(path + "/") for name in files):
        raise UserError(
            f"nothing is known of {path}: it is neither a file of the project nor made by a stage",
            "`git ls-files` lists the project's files; what `.gitignore` names is not among them.",
            code="file-unknown",
        )
    tracked = pointer or path
    _, status, _ = attempt(root, "status", "--porcelain", "-z", "--", tracked)
    needed, trouble = _needed_by(loaded, path) if loaded is not None else ((), None)
    return SourceOrigin(
        path=path,
        last_change=_last_change(root, tracked),
        is_changed=bool(status.strip(b"\0")),
        needed_by=needed,
        problem=problem or trouble,
    )


def _load(source: WorktreeSource, name: str) -> tuple[Loaded | None, str | None]:
    try:
        return load(source, {}, name), None
    except LockgateError as error:
        return None, error.message


def _pointer_of(loaded: Loaded, path: str) -> str | None:
    """Return the pointer that stands for a file, or for the folder it lies in."""
    for place in (path, *(str(parent) for parent in PurePosixPath(path).parents)):
        if place in loaded.pointed:
            return loaded.pointed[place].pointer
    return None


def _needed_by(loaded: Loaded, path: str) -> tuple[tuple[str, ...], str | None]:
    needed, trouble = [], None
    prefix = path + "/"
    for stage in loaded.pipeline.stages:
        try:
            files = loaded.inputs.of(stage.name, ()).files
        except UserError as error:
            trouble = error.message
            continue
        if any(name == path or name.startswith(prefix) for name, _ in files):
            needed.append(stage.name)
    return tuple(needed), trouble


def _last_change(root: Path, path: str) -> Commit | None:
    code, output, _ = attempt(root, "log", "-1", "--format=%H%x00%an%x00%aI%x00%s", "--", path)
    fields = output.decode("utf-8", "replace").rstrip("\n").split("\0")
    return Commit(*fields) if code == 0 and len(fields) == 4 else None
