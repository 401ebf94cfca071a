"""What handlers are given: where projects lie, threads for what waits, and a way to tell what happened."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar

from lockgate.errors import UserError
from lockgate.git.worktree import find_root
from lockgate.jupyter.following import Followers
from lockgate.jupyter.hook_servers import HookServers
from lockgate.jupyter.kernels import ProjectKernels
from lockgate.jupyter.news import Teller
from lockgate.jupyter.tails import Tails

_P = ParamSpec("_P")
_T = TypeVar("_T")
#: Requests that wait for git or the hub at one time; more wait for a thread.
_THREADS = 8
#: The drive of jupyter-collaboration, and ours of earlier states, whose files are those of the same project.
_OF_DRIVE = re.compile(r"RTC:|LockgateState:[0-9a-f]{40}/")


class Service:
    """One for each Jupyter server."""

    def __init__(self, root: Path, teller: Teller) -> None:
        self.root = root.resolve()
        self.kernels = ProjectKernels(self.root)
        self._teller = teller
        self.followers = Followers(self.tell)
        self.tails = Tails(self.tell)
        self.hooks = HookServers()
        self._pool = ThreadPoolExecutor(_THREADS, "lockgate")
        self._guard = threading.Lock()
        self._running: dict[Path, list[str]] = {}

    async def do(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call what may wait for disk, git or the hub in a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, partial(function, *args, **kwargs)
        )

    def go_on(self, function: Callable[[], None], name: str) -> None:
        """Let something long go on in a thread of its own, which does not hold up the server's end."""
        threading.Thread(target=function, name=f"lockgate {name}", daemon=True).start()

    def project_at(self, path: str) -> Path:
        """Return the root of the repository that a file or folder lies in.

        `path` is what Jupyter calls it: with `/`, below the server's root, perhaps with the drive of
        jupyter-collaboration in front. Raises `UserError`: `path-outside`, `not-a-repository`.
        """
        return find_root(self.folder_at(path))

    def folder_at(self, path: str) -> Path:
        """Return a folder, or that in which a file lies. Raises `UserError` (`path-outside`)."""
        place = self._place(path)
        while not place.is_dir() and place != self.root:
            place = place.parent
        return place

    def inside(self, project: Path, path: str) -> str:
        """Return what a file of the server is called inside its project; empty for the project itself."""
        place = self._place(path).resolve()
        return place.relative_to(project.resolve()).as_posix().removeprefix(".")

    def called(self, project: Path) -> str:
        """Return what Jupyter calls a project's folder; `..` where the server was started inside it."""
        if project.is_relative_to(self.root):
            return project.relative_to(self.root).as_posix().removeprefix(".")
        return ".."

    def tell(self, kind: str, project: Path, data: object) -> None:
        """Tell every page that shows this server; from any thread."""
        self._teller.tell(kind, self.called(project), data)

    def note_running(self, project: Path, run: str) -> None:
        """A run was started here."""
        with self._guard:
            self._running.setdefault(project, []).append(run)

    def note_ended(self, project: Path, run: str) -> None:
        with self._guard:
            runs = self._running.get(project, [])
            if run in runs:
                runs.remove(run)

    def running_in(self, project: Path) -> tuple[str, ...]:
        """Return the runs that were started here and go on."""
        with self._guard:
            return tuple(self._running.get(project, ()))

    def _place(self, path: str) -> Path:
        drive = _OF_DRIVE.match(path)
        inside = PurePosixPath(path[drive.end() if drive else 0 :].strip("/"))
        if ".." in inside.parts:
            raise UserError(
                f"{path} leads out of the server's folder", "Name it from there.", code="path-outside"
            )
        return self.root / inside

    def close(self) -> None:
        self.followers.close()
        self.hooks.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.kernels.close()
