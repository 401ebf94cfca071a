"""The kernels of the projects below a server's folder, as Jupyter finds them: one folder of links.

Jupyter looks for kernels in folders (`KernelSpecManager.kernel_dirs`). Ours holds, for each kernel of a
project, a link to its folder, so that no class of Jupyter is replaced and whatever manager is configured
goes on to work. A kernel is a command, and opening a notebook starts its kernel: so only projects that
belong to a hub are looked at, not whatever was cloned from somewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.hub.worktree.home import has_hub

#: Folders in which projects are looked for, counted from the server's folder; deeper ones are found when
#: a file of theirs is opened.
_DEPTH = 2
_FOLDERS_AT_MOST = 2000
_UNFIT = re.compile(r"[^a-z0-9._-]+", re.IGNORECASE)


class ProjectKernels:
    """The links of one server."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._scratch = tempfile.TemporaryDirectory(prefix="lockgate-kernels-")
        self.folder = Path(self._scratch.name)
        """What belongs into `kernel_dirs`."""
        self._projects: set[Path] = set()

    def gather(self, project: Path | None = None) -> tuple[str, ...]:
        """Look for kernels again, in `project` too, and return their names if they differ from before."""
        if project is not None:
            self._projects.add(project)
        self._projects |= set(_projects_below(self._root))
        wanted = names_of(self._root, sorted(self._kernels()))
        before = {entry.name: Path(entry.path).readlink() for entry in os.scandir(self.folder)}
        for name in before.keys() - wanted.keys() | {
            n for n in wanted if before.get(n, wanted[n]) != wanted[n]
        }:
            (self.folder / name).unlink()
        for name, place in wanted.items():
            with contextlib.suppress(FileExistsError):
                (self.folder / name).symlink_to(place)
        return tuple(sorted(wanted)) if before != wanted else ()

    def close(self) -> None:
        self._scratch.cleanup()

    def _kernels(self) -> Iterable[Path]:
        for project in self._projects:
            with contextlib.suppress(OSError, LockgateError):
                if not has_hub(project):
                    continue
                yield from (file.parent for file in (project / "kernels").glob("*/kernel.json"))


def names_of(root: Path, folders: Iterable[Path]) -> Mapping[str, Path]:
    """Return what Jupyter calls each kernel: its folder's name; where several projects have one of that
    name, each with its project's path in front, as `flights.py`."""
    by_name: dict[str, list[Path]] = {}
    for folder in folders:
        by_name.setdefault(_fit(folder.name), []).append(folder)
    found = {}
    for name, places in by_name.items():
        for place in places:
            project = place.parents[1]
            where = project.relative_to(root).parts if project.is_relative_to(root) else (project.name,)
            found[name if len(places) == 1 else ".".join([*map(_fit, where), name])] = place
    return found


def _fit(name: str) -> str:
    return _UNFIT.sub("-", name).lower()


def _projects_below(root: Path) -> Iterable[Path]:
    """Yield folders with a folder `kernels`; a large tree is not walked to its end."""
    level, seen = [root], 0
    for depth in range(_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            seen += 1
            if seen > _FOLDERS_AT_MOST:
                return
            if (folder / "kernels").is_dir():
                yield folder
                continue
            if depth < _DEPTH:
                with contextlib.suppress(OSError):
                    below += [
                        Path(entry.path)
                        for entry in os.scandir(folder)
                        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
                    ]
        level = below
