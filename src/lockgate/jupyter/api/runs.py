"""Runs of a project: the newest ones, and a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.git.worktree import head
from lockgate.hub.indexing.queries import RunLine
from lockgate.hub.push import Options, read_resource
from lockgate.hub.reaching.address import address, project_named
from lockgate.hub.worktree.asking import ask_runs
from lockgate.hub.worktree.submission import ask
from lockgate.jupyter.handler import Handler
from lockgate.jupyter.running import start

_SHOWN = 200


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a press on Run asks for."""

    path: str
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    params: dict[str, str] = {}
    backend: str | None = None
    memory: str | None = None
    walltime: str | None = None
    cpus: str | None = None
    is_dry_run: bool = False

    def options(self) -> Options:
        """Raises `UserError` for a resource that cannot be read."""
        return Options(
            is_wait=True,
            params=self.params,
            only=self.only,
            force=self.force,
            backend=self.backend,
            memory_bytes=read_resource("memory", self.memory) if self.memory else None,
            walltime_s=read_resource("walltime", self.walltime) if self.walltime else None,
            cpus=read_resource("cpus", self.cpus) if self.cpus else None,
        )


class Listed(msgspec.Struct, frozen=True):
    """The newest runs of a project, newest first; `root`: its folder as Jupyter calls it."""

    root: str
    project: str
    branch: str | None
    runs: Sequence[RunLine]


class Runs(Handler):
    """`GET ?path=`: the newest runs. `POST`: run the work tree as it is; the answer is the hub's receipt."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._list))

    @authenticated
    async def post(self) -> Any:
        await self.answer(self._start())

    def _list(self) -> Listed:
        root = self.project
        self.service.followers.follow(root)
        place = address(None, None, root)
        return Listed(self.service.called(root), project_named(place), head(root)[0], ask_runs(place, _SHOWN))

    async def _start(self) -> object:
        asked = self.asked(Asked)
        root = await self.service.do(self.service.project_at, asked.path)
        options = asked.options()
        if asked.is_dry_run:
            return await self.service.do(ask, root, options)
        return await asyncio.wrap_future(start(self.service, root, options))
