"""What each stage reads: its needs, found in the snapshot's files and among what other stages make."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from lockgate.data.digest import Listed
from lockgate.errors import UserError
from lockgate.git.listing import LINK, STORED, STORED_FOLDER, SUBMODULE, Entry, Listing, tree_id
from lockgate.project.globs import compile_glob, fixed_folder, is_glob, may_hold
from lockgate.project.pipeline import LOCK_FILE, Pipeline, Stage
from lockgate.runs.fingerprint import source_identity
from lockgate.runs.pointed import Pointed, with_pointed

#: The need that stands for everything in the snapshot that no stage makes.
WHOLE = "."

Where = Callable[[str, str], str]
"""(stage group, key) → `file:line: `, put before an error's message."""


ListingOf = Callable[[str], Sequence[Listed] | None]
"""The digest of a stored folder, ending in `.dir` → its files; None where its listing is not at hand."""


class StageInputs(msgspec.Struct, frozen=True):
    """One stage's needs, resolved as far as the snapshot goes."""

    needs: tuple[tuple[str, str], ...]
    """Source needs with their identities, as they enter the fingerprint."""
    files: tuple[tuple[str, Entry], ...]
    """Every file and link of the snapshot to place in the workspace, data behind pointers too."""
    artifacts: tuple[tuple[str, str], ...]
    """(path made, stage that makes it), identified once that stage's artifacts are known."""


class Inputs:
    """The inputs of a pipeline's stages at one snapshot; built once, asked for each stage."""

    def __init__(
        self,
        pipeline: Pipeline,
        files: Listing,
        links: Mapping[str, str],
        where: Where = lambda group, key: "",
        pointed: Mapping[str, Pointed] | None = None,
        listing_of: ListingOf = lambda md5: None,
    ) -> None:
        """`links` gives the target of every symbolic link among the files, `pointed` what pointers stand for.

        A stage that needs a part of a stored folder depends on that part alone where `listing_of` knows
        the folder's files, else on the whole folder.
        """
        self._stages = {stage.name: stage for stage in pipeline.stages}
        self._makers = {path: stage.name for stage in pipeline.stages for path in stage.makes}
        self._around_folder: dict[str, str | None] = {"": None}
        self.made = sorted(self._makers)
        """Every path the stages make."""
        self.sources: dict[str, Entry] = {
            path: entry
            for path, entry in with_pointed(files, pointed or {}).items()
            if path != LOCK_FILE and self._made_around(path) is None
        }
        self.origins = {path: each.origin for path, each in (pointed or {}).items() if each.origin}
        """Data that comes from another project → from where, in words."""
        self._paths = sorted(self.sources)
        self._pointers = {each.pointer: files[each.pointer] for each in (pointed or {}).values()}
        self._stored_folders = sorted(
            path for path, entry in self.sources.items() if entry.mode == STORED_FOLDER
        )
        self._listing_of = listing_of
        self._inside_of: dict[str, dict[str, Entry]] = {}
        self._links = links
        self.where = where
        self._folder_ids: dict[str, str] = {}
        self._taken_by: dict[str, dict[str, Entry]] = {}
        self._all_files: tuple[tuple[str, Entry], ...] | None = None

    def of(self, name: str, above: Iterable[str]) -> StageInputs:
        """Return a stage's inputs; `above` are all stages it depends on, near and far.

        Raises `UserError`: `need-missing`, `link-outside`, `submodule`.
        """
        return self.of_stage(self._stages[name], above)

    def of_stage(self, stage: Stage, above: Iterable[str] = ()) -> StageInputs:
        """Return the inputs of a stage that need not be one of the pipeline's. Raises what `of` does."""
        implied = {"notebook": stage.notebook, "spark": stage.spark}
        for key, path in implied.items():
            if path is not None and path not in self.sources and not self._is_made(path):
                raise self._missing(stage, key, path)
        if stage.needs is None:
            return self._whole(stage, above)
        needs: dict[str, str] = {}
        files: dict[str, Entry] = {}
        artifacts: dict[str, str] = {}
        declared = list(stage.needs)
        declared += [path for path in implied.values() if path is not None and path not in declared]
        declared += [path for path in stage.params_files if path not in declared]
        for need in declared:
            self._add(stage, need, needs, files, artifacts)
        self._check(stage, files)
        for path in stage.params_files:
            if stage.params_files[path]:
                needs.pop(path, None)
        return StageInputs(
            tuple(sorted((_as_text(need), identity) for need, identity in needs.items())),
            tuple(files.items()),
            tuple(sorted(artifacts.items())),
        )

    @property
    def known(self) -> set[str]:
        """Every path of the snapshot as far as it is known, files of stored folders too."""
        inside = (path for folder in self._stored_folders for path in self._inside(folder))
        return {*self.sources, *inside}

    def maker(self, path: str) -> str | None:
        """Return the stage that makes this path or a folder around it."""
        around = self._made_around(path)
        return self._makers[around] if around is not None else None

    def _is_made(self, path: str) -> bool:
        return self.maker(path) is not None

    def _whole(self, stage: Stage, above: Iterable[str]) -> StageInputs:
        artifacts = tuple(
            (path, other)
            for other in above
            if self._stages[other].checks is None
            for path in self._stages[other].makes
        )
        if self._all_files is None:
            self._check(stage, self.sources)
            self._all_files = tuple(self.sources.items())
        return StageInputs(((WHOLE, self._folder_id("")),), self._all_files, tuple(sorted(artifacts)))

    def _add(
        self,
        stage: Stage,
        need: str,
        needs: dict[str, str],
        files: dict[str, Entry],
        artifacts: dict[str, str],
    ) -> None:
        entry = self.sources.get(need) or self._stored_file(need) or self._pointers.get(need)
        if entry is not None:
            needs[need] = source_identity(entry)
            files[need] = entry
            if entry.mode == LINK:
                self._follow(stage, need, needs, files, artifacts)
            return
        made = [path for path in self._matching_makes(need) if self._makers[path] != stage.name]
        for path in made:
            artifacts[path] = self._makers[path]
        found = self._taken(need)
        files.update(found)
        if is_glob(need):
            needs.update((path, source_identity(entry)) for path, entry in found.items())
        elif found:
            needs[need] = self._folder_id(need)
        if not found and not made:
            raise self._missing(stage, "needs", need)

    def _missing(self, stage: Stage, key: str, path: str) -> UserError:
        return UserError(
            f"{self.where(stage.group, key)}stage {stage.name} needs {path}, "
            "which is not in the project and no stage makes",
            f"Add the file (git add {path}), correct the path, or let a stage make it.",
            code="need-missing",
        )

    def _matching_makes(self, need: str) -> Iterator[str]:
        """Yield the made paths that a need takes, lies in, or may find its files in."""
        is_pattern = is_glob(need)
        if is_pattern:
            is_match = compile_glob(need)
            yield from (path for path in self.made if is_match(path) or may_hold(need, path))
            need = fixed_folder(need)
        around = self._made_around(need)
        if around is not None:
            yield around
        elif not is_pattern:
            yield from self._made_under(need)

    def _made_around(self, path: str) -> str | None:
        if path in self._makers:
            return path
        # For every file of a snapshot: in a tenth of the time that dirname takes, and once for a folder
        folder = path.rpartition("/")[0]
        if folder not in self._around_folder:
            around = folder
            while around and around not in self._makers:
                around = around.rpartition("/")[0]
            self._around_folder[folder] = around or None
        return self._around_folder[folder]

    def _made_under(self, folder: str) -> Iterator[str]:
        return _starting(self.made, folder + "/")

    def _under(self, folder: str) -> dict[str, Entry]:
        """Return the source files that a folder holds, be it one of a stored folder's own."""
        found = {path: self.sources[path] for path in _starting(self._paths, folder + "/" if folder else "")}
        around = self._stored_around(folder)
        if around is not None:
            inside = self._inside(around)
            found.update((path, entry) for path, entry in inside.items() if path.startswith(folder + "/"))
        return found

    def _taken(self, need: str) -> dict[str, Entry]:
        """Return the source files that a folder holds or a pattern takes; stages often share their needs."""
        found = self._taken_by.get(need)
        if found is None:
            found = self._matching(need) if is_glob(need) else self._under(need)
            self._taken_by[need] = found
        return found

    def _matching(self, pattern: str) -> dict[str, Entry]:
        is_match = compile_glob(pattern)
        found = {path: self.sources[path] for path in self._paths if is_match(path)}
        fixed = fixed_folder(pattern)
        for folder in self._stored_folders:
            is_near = not fixed or f"{fixed}/".startswith(f"{folder}/") or folder.startswith(f"{fixed}/")
            if folder not in found and is_near:
                inside = self._inside(folder)
                found.update((path, entry) for path, entry in inside.items() if is_match(path))
        return found

    def _stored_around(self, path: str) -> str | None:
        """Return the stored folder that a path lies in."""
        folder = posixpath.dirname(path)
        while folder:
            entry = self.sources.get(folder)
            if entry is not None:
                return folder if entry.mode == STORED_FOLDER else None
            folder = posixpath.dirname(folder)
        return None

    def _stored_file(self, path: str) -> Entry | None:
        around = self._stored_around(path)
        return self._inside(around).get(path) if around is not None else None

    def _inside(self, folder: str) -> dict[str, Entry]:
        """Return the files of a stored folder; the folder itself where nobody knows them."""
        if folder not in self._inside_of:
            whole = self.sources[folder]
            listed = self._listing_of(whole.id + ".dir")
            self._inside_of[folder] = (
                {f"{folder}/{each.relpath}": Entry(STORED, each.md5) for each in listed}
                if listed is not None
                else {folder: whole}
            )
        return self._inside_of[folder]

    def _folder_id(self, folder: str) -> str:
        if folder not in self._folder_ids:
            start = len(folder) + 1 if folder else 0
            self._folder_ids[folder] = tree_id(
                (path[start:], entry) for path, entry in self._under(folder).items()
            )
        return self._folder_ids[folder]

    def _follow(
        self,
        stage: Stage,
        link: str,
        needs: dict[str, str],
        files: dict[str, Entry],
        artifacts: dict[str, str],
    ) -> None:
        """A declared link is worth nothing without what it points to: that is needed too."""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(link), self._links.get(link, "")))
        if not self._is_outside(link) and target not in needs:
            self._add(stage, target, needs, files, artifacts)

    def _is_outside(self, link: str) -> bool:
        target = self._links.get(link, "")
        resolved = posixpath.normpath(posixpath.join(posixpath.dirname(link), target))
        return target.startswith("/") or resolved == ".." or resolved.startswith("../")

    def _check(self, stage: Stage, files: Mapping[str, Entry]) -> None:
        for path, entry in files.items():
            if entry.mode == SUBMODULE:
                raise UserError(
                    f"{self.where(stage.group, 'needs')}stage {stage.name} needs {path}, a git submodule, "
                    "whose files do not travel with a push",
                    "Copy its files into the project, or declare `needs` without it.",
                    code="submodule",
                )
            if entry.mode == LINK and self._is_outside(path):
                raise UserError(
                    f"{self.where(stage.group, 'needs')}stage {stage.name} needs {path}, "
                    f"a link that leads out of the project to {self._links.get(path, '?')}",
                    "Put the file itself into the project, or declare `needs` without the link.",
                    code="link-outside",
                )


def _starting(ordered: Sequence[str], prefix: str) -> Iterator[str]:
    """Yield the paths that start so, without a look at the others."""
    for number in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[number].startswith(prefix):
            break
        yield ordered[number]


def _as_text(path: str) -> str:
    """Records are text: a name with bytes that are none stands in them with `\\xe9` for such a byte."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return path
