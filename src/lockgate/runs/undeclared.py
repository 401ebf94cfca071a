"""Which file of the snapshot a failed job asked for without declaring it: told from what it printed.

A guess that cannot mislead much: only a line that speaks of something missing counts, and only what is a path
of the snapshot and not declared is named.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_MISSING = re.compile(
    r"no such file|cannot open|can't open|could not open|couldn't open|unable to open|failed to open|"
    r"error opening|opening file|cannot access|cannot stat|cannot read|can't read|cannot find|can't find|"
    r"could not find|can't cd to|not found|not exist|doesn't exist|no files found|no rule to make target|"
    r"enoent|errno = 2|os error 2|errno 2",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|‘([^’\n]+)’|`([^'`\n]+)['`]|“([^”\n]+)”")
_SEGMENT = re.compile(r": |:$| \(|\)|, ")
_OPENED = re.compile(r"(?:open|opening|read|cd to|file) (.+)")
_EDGES = "'\"‘’“”`()[]{}<>,;:."
_TRACED = re.compile(r"File \"([^\"\n]+)\", line |at (?:.* \()?(?:file://)?(/[^\s:()]+):\d+")
#: `from package import module` of a module that is not there names the package's own file.
_IMPORT = re.compile(r"No module named '?([\w.]+)'?|cannot import name '(\w+)' from '([\w.]+)'")
_NODE_MODULE = re.compile(r"Cannot find module '([^'\n]+)'")
_NODE_ENDINGS = (".js", ".json", ".mjs", ".cjs", ".ts", "/index.js")
#: Where projects keep their modules, besides the script's own folder.
_MODULE_FOLDERS = ("", "src", "lib", "python")


def find_undeclared(
    said: str, workspace: str, known: Collection[str], declared: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the paths that a job asked for and did not declare, in the order it named them.

    Parameters
    ----------
    said
        What the job printed, or the end of it.
    workspace
        Where it ran; absolute paths inside are understood.
    known
        Every path of the snapshot, and what other stages make. A folder of them is named with a `/`.
    declared
        Whether a path is one the stage declares.
    """
    search = _Search(workspace, known)
    found: dict[str, None] = {}
    for line in _CONTROL.sub("", said).splitlines():
        for path in search.of_line(line):
            if not declared(path) and not declared(path.rstrip("/")):
                found.setdefault(path)
    return tuple(found)


class _Search:
    def __init__(self, workspace: str, known: Collection[str]) -> None:
        self._root = posixpath.normpath(workspace)
        self._known = known if isinstance(known, set | frozenset | dict) else frozenset(known)
        self._all_folders: set[str] | None = None
        self._bases = [""]
        """Folders of the scripts that were named: a relative path may start there."""

    def of_line(self, line: str) -> Iterator[str]:
        for match in _TRACED.finditer(line):
            self._visit(match[1] or match[2])
        imported = _IMPORT.search(line)
        if imported is not None:
            yield from self._module(imported[1] or f"{imported[3]}.{imported[2]}")
            return
        wanted = _NODE_MODULE.search(line)
        if wanted is not None:
            yield from self._node_module(wanted[1])
            return
        if _MISSING.search(line) is None:
            return
        if line.count(": ") > 1:
            # The program that speaks comes first.
            line = line.partition(": ")[2]
        for path in self._matches(_whole_names(line), with_folders=True):
            yield path
            return
        yield from self._matches((word.strip(_EDGES) for word in line.split()), with_folders=False)

    def _visit(self, script: str) -> None:
        path = self._inside(script)
        folder = posixpath.dirname(path) if path is not None else ""
        if folder and folder not in self._bases:
            self._bases.append(folder)

    def _matches(self, names: Iterable[str], *, with_folders: bool) -> Iterator[str]:
        for name in names:
            for base in self._bases:
                path = self._inside(name, base)
                if path is None:
                    continue
                if path in self._known:
                    yield path
                    break
                if with_folders and path in self._folders():
                    yield f"{path}/"
                    break

    def _inside(self, name: str, base: str = "") -> str | None:
        """Return the path in the workspace that a name means, or None."""
        if not name or len(name) > 4096:
            return None
        path = posixpath.normpath(posixpath.join(self._root, base, name))
        prefix = self._root + "/"
        return path[len(prefix) :] if path.startswith(prefix) else None

    def _folders(self) -> set[str]:
        if self._all_folders is None:
            self._all_folders = set()
            for path in self._known:
                folder = posixpath.dirname(path)
                while folder and folder not in self._all_folders:
                    self._all_folders.add(folder)
                    folder = posixpath.dirname(folder)
        return self._all_folders

    def _module(self, name: str) -> Iterator[str]:
        """Find a Python module: itself, else the package it would lie in."""
        parts = name.split(".")
        bases = dict.fromkeys([*reversed(self._bases), *_MODULE_FOLDERS])
        for length in range(len(parts), 0, -1):
            for base in bases:
                path = posixpath.join(base, *parts[:length])
                if f"{path}.py" in self._known:
                    yield f"{path}.py"
                    return
                if path in self._folders():
                    yield f"{path}/"
                    return

    def _node_module(self, name: str) -> Iterator[str]:
        if name.startswith(("/", ".")):
            names = [name, *(name + ending for ending in _NODE_ENDINGS)]
            yield from list(self._matches(names, with_folders=False))[:1]


def _whole_names(line: str) -> Iterator[str]:
    """Yield what a message may mean as a name: what it quotes, what stands between its colons."""
    for match in _QUOTED.finditer(line):
        yield next(group for group in match.groups() if group is not None)
    for segment in _SEGMENT.split(line):
        yield segment.strip()
        opened = _OPENED.search(segment)
        if opened is not None:
            yield opened[1].strip()
