"""One run: what is known of it, what it prints and made, and its end."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.errors import UserError
from lockgate.git.worktree import member_here
from lockgate.hub.reaching.address import address
from lockgate.hub.running.cancel import Cancelled
from lockgate.hub.showing import tabular
from lockgate.hub.showing.tabular import TablePage
from lockgate.hub.worktree.asking import ask_cancel, ask_run
from lockgate.hub.worktree.opening import Opened, open_stage
from lockgate.hub.worktree.results import Results
from lockgate.jupyter.executed import Beside, bring
from lockgate.jupyter.handler import Handler
from lockgate.jupyter.run_page import RunShown, show
from lockgate.jupyter.tails import LogPart
from lockgate.jupyter.verifying import verify

#: Larger pictures are not sent to a page.
_PICTURE_AT_MOST = 50_000_000
_ROWS_AT_MOST = 500


class OneRun(Handler):
    """`GET ?path=`: a run of the project that a file lies in; the end of its id is enough."""

    @authenticated
    async def get(self, run: str) -> Any:
        await self.answer(self.service.do(self._show, run))

    def _show(self, run: str) -> RunShown:
        root = self.project
        self.service.followers.follow(root)
        return show(root, run)


class Cancelling(Handler):
    """`POST ?path=`: end a run; what is done so far is kept."""

    @authenticated
    async def post(self, run: str) -> Any:
        await self.answer(self.service.do(self._cancel, run))

    def _cancel(self, run: str) -> Cancelled:
        root = self.project
        return ask_cancel(address(None, None, root), run, member_here(root))


class Log(Handler):
    """`GET ?path=&stage=&at=`: what a stage printed from a byte on; `log` tells when there is more."""

    @authenticated
    async def get(self, run: str) -> Any:
        await self.answer(self.service.do(self._part, run))

    def _part(self, run: str) -> LogPart:
        stage, at = self.get_query_argument("stage"), self.get_query_argument("at", "0")
        tail = self.service.tails.open(self.project, run, stage)
        return tail.part(int(at) if at.isascii() and at.isdecimal() else 0)


class ResultFile(Handler):
    """`GET ?path=&file=`: the bytes of a picture that a run made."""

    @authenticated
    async def get(self, run: str) -> Any:
        name = self.get_query_argument("file")
        kind = mimetypes.guess_type(name)[0] or ""
        if not kind.startswith("image/"):
            await self.answer(self._no_picture(name))
            return
        content = await self.service.do(read, self.project, run, name, _PICTURE_AT_MOST)
        # What a job made may be hostile: a picture of SVG may hold scripts
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(content)

    async def _no_picture(self, name: str) -> None:
        raise UserError(f"{name} is no picture", "Fetch it: lockgate fetch RUN", code="not-a-picture")


class ResultTable(Handler):
    """`GET ?path=&file=&start=&count=`: some rows of a table that a run made."""

    @authenticated
    async def get(self, run: str) -> Any:
        await self.answer(self.service.do(self._rows, run))

    def _rows(self, run: str) -> TablePage:
        name = self.get_query_argument("file")
        table = tabular.parse(read(self.project, run, name, tabular.READ_BYTES), name)
        if table is None:
            raise UserError(
                f"{name} cannot be shown as a table", "Fetch it: lockgate fetch RUN", code="not-a-table"
            )
        start, count = self.get_query_argument("start", "0"), self.get_query_argument("count", "50")
        rows = min(_number(count), _ROWS_AT_MOST)
        return tabular.page(table, _number(start), rows)


class Asked(msgspec.Struct, frozen=True):
    """`file`: an executed notebook, `mine`: the one in the work tree; or a stage."""

    stage: str = ""
    file: str = ""
    mine: str = ""
    stages: tuple[str, ...] = ()


class Opening(Handler):
    """`POST ?path=`: lay out a stage with exactly the inputs its job saw."""

    @authenticated
    async def post(self, run: str) -> Any:
        await self.answer(self.service.do(self._open, run, self.asked(Asked)))

    def _open(self, run: str, asked: Asked) -> Opened:
        root = self.project
        place = address(None, None, root)
        return open_stage(root, place, ask_run(place, run), asked.stage)


class Executed(Handler):
    """`POST ?path=`: bring an executed notebook beside the one in the work tree, and compare them."""

    @authenticated
    async def post(self, run: str) -> Any:
        await self.answer(self.service.do(self._bring, run, self.asked(Asked)))

    def _bring(self, run: str, asked: Asked) -> Beside:
        root = self.project
        return bring(root, run, asked.file, asked.mine)


class Verifying(Handler):
    """`POST ?path=`: verify a run; `verifying` and `verified` tell how it comes on."""

    @authenticated
    async def post(self, run: str) -> Any:
        asked = self.asked(Asked)
        await self.answer(self.service.do(self._verify, run, asked))

    def _verify(self, run: str, asked: Asked) -> dict[str, str]:
        verify(self.service, self.project, run, asked.stages)
        return {"run": run}


def read(root: Path, run: str, file: str, limit_bytes: int) -> bytes:
    """Return the bytes of a file that a run made. Raises as `Results.read`."""
    place = address(None, None, root)
    return Results(root, place, ask_run(place, run)).read(file, limit_bytes)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
