"""Note which variables of its environment a Python process reads, and where in the project it does.

Copied into an observed job's folder as `programs/python/sitecustomize.py`, which Python imports at its
start: it imports nothing of Lockgate. Reading a variable is no call of the system, so nobody else can tell.
What goes past `os.environ` and `os.getenv` (other languages, C libraries, `python -I`) is not seen.

The notes lie in `observed/variables`, records that end with a NUL: `e` and the name of one that is set, `a`
and that of one that is not; where a file of the workspace reads it, a newline follows, then `path:line`.
"""

# It stands in every job's way, and pathlib takes longer to import than all the rest.
# ruff: noqa: PTH100, PTH109, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import FrameType

HERE = os.path.dirname(os.path.abspath(__file__))
JOB = os.path.dirname(os.path.dirname(HERE))
NOTES = os.path.join(JOB, "observed", "variables")
WORKSPACE = os.path.join(JOB, "workspace") + os.sep
#: Its own frames, and those of what stands between a file and the variables.
BETWEEN = (__file__, os.__file__, "<frozen os>", "<frozen _collections_abc>")
#: So many notes a process at most.
MOST = 5_000


def place() -> str:
    """Return where in the workspace the variable is asked for; empty: it is not there."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename in BETWEEN:
        frame = frame.f_back
    if frame is None:
        return ""
    name = frame.f_code.co_filename
    path = os.path.join(os.getcwd(), name) if name.endswith(".py") else name
    if path.startswith(WORKSPACE):
        return f"{path[len(WORKSPACE) :]}:{frame.f_lineno}"
    # The source of a notebook's cell or of `python -c` is in no file
    return f"a cell:{frame.f_lineno}" if "ipykernel_" in name else "python -c" if name == "<string>" else ""


class Environment(os._Environ):  # type: ignore[type-arg]
    """`os.environ` that notes what it is asked for; going through all of it asks for nothing."""

    _noted: set[str]
    _own: set[str]
    """What the process has set itself."""
    _passed: deque[str]
    """The names given out in order, each of which is likely to be asked for next."""

    def __getitem__(self, key: str) -> str:
        if self._passed and self._passed[0] == key:
            self._passed.popleft()
            return super().__getitem__(key)  # type: ignore[no-any-return]
        self._passed.clear()
        try:
            value: str = super().__getitem__(key)
        except KeyError:
            self._note("a", key)
            raise
        self._note("e", key)
        return value

    def __setitem__(self, key: str, value: str) -> None:
        super().__setitem__(key, value)
        self._own.add(key)

    def __iter__(self) -> Iterator[str]:
        self._passed.clear()
        for key in super().__iter__():
            self._passed.append(key)
            yield key

    def copy(self) -> dict[str, str]:
        return dict(self)

    def _note(self, kind: str, key: str) -> None:
        if key in self._own:
            return
        record = "\n".join(filter(None, (kind + key, place())))
        if record in self._noted or len(self._noted) >= MOST:
            return
        self._noted.add(record)
        with suppress(OSError), open(NOTES, "ab", buffering=0) as file:
            file.write(record.encode("utf-8", "surrogateescape") + b"\0")


def install() -> None:
    """Put the notes-taking environment in the place of the plain one."""
    os.environ.__class__ = Environment
    vars(os.environ).update(_noted=set(), _own=set(), _passed=deque())


def go_on() -> None:
    """Do what the runtime's own `sitecustomize` does, which this one stands before."""
    path = [each for each in sys.path if os.path.abspath(each) != HERE]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    install()
    go_on()
