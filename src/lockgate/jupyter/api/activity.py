"""What was done in a project: the feed, its entries, and back to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.errors import LockgateError, UserError
from lockgate.hub.worktree.history import refresh
from lockgate.hub.worktree.remembering import Line, Wanted, page_of, picture, show, state_at
from lockgate.hub.worktree.returning import Foreseen, branch_off, foresee_return
from lockgate.hub.worktree.rollback import RolledBack, roll_back
from lockgate.jupyter.handler import Handler

_TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml"}


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Go back; with `is_dry_run`, tell what that would change."""

    is_dry_run: bool = False


class Branch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Begin a branch of this name."""

    name: str


class Here(msgspec.Struct, frozen=True):
    """A page of the feed. `root`: the project's folder, as Jupyter calls it."""

    root: str
    lines: tuple[Line, ...]
    next: dict[str, str] | None
    people: tuple[str, ...]


class Activities(Handler):
    """`GET ?path=`: a page of the feed; `kinds`, `by`, `text`, `is_important` narrow it, `before` goes on."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._page))

    def _page(self) -> Here:
        kinds = self.get_query_argument("kinds", "")
        asked = {
            "kinds": kinds.split(",") if kinds else [],
            "by": self.get_query_argument("by", "") or None,
            "text": self.get_query_argument("text", ""),
            "is_important": self.get_query_argument("is_important", "") == "true",
        }
        before = self.get_query_argument("before", "")
        try:
            wanted = msgspec.convert(asked, Wanted)
            start = msgspec.json.decode(before, type=dict[str, str]) if before else None
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise UserError(
                f"the feed cannot be asked this: {error}", "Reload the page.", code="request-unreadable"
            ) from None
        project = self.project
        page = page_of(project, wanted, start)
        return Here(self.service.called(project), page.lines, page.next, page.people)


class Refreshing(Handler):
    """`POST ?path=`: bring what the hub knows; where it is away, the answer says so."""

    @authenticated
    async def post(self) -> Any:
        await self.answer(self.service.do(lambda: refresh(self.project)))


class OneActivity(Handler):
    """`GET ?path=`: an entry with its code and output."""

    @authenticated
    async def get(self, entry: str) -> Any:
        await self.answer(self.service.do(lambda: show(self.project, entry)))


class ActivityPicture(Handler):
    """`GET ?path=&file=`: an image of an entry, as its bytes."""

    @authenticated
    async def get(self, entry: str) -> Any:
        file = str(self.get_query_argument("file", ""))
        try:
            content = await self.service.do(lambda: picture(self.project, entry, file))
        except LockgateError as error:
            self.set_status(404)
            self.finish(json.dumps({"message": error.message, "hint": error.hint, "code": error.code}))
            return
        # An SVG is foreign text: nothing in it may run
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, max-age=86400, immutable")
        self.finish(content, set_content_type=_TYPES[file.rpartition(".")[2]])


class Returning(Handler):
    """`POST ?path=`: back to the state of an entry."""

    @authenticated
    async def post(self, entry: str) -> Any:
        await self.answer(self.service.do(self._go, entry))

    def _go(self, entry: str) -> Foreseen | RolledBack:
        root = self.project
        state = state_at(root, entry)
        if self.asked(Back).is_dry_run:
            return foresee_return(root, state)
        done = roll_back(root, state)
        self._tell(root)
        return done

    def _tell(self, root: Path) -> None:
        self.service.tell("standing", root, {})


class Branching(Handler):
    """`POST ?path=`: a new branch from the state of an entry, checked out."""

    @authenticated
    async def post(self, entry: str) -> Any:
        await self.answer(self.service.do(self._begin, entry))

    def _begin(self, entry: str) -> RolledBack:
        root = self.project
        done = branch_off(root, state_at(root, entry), self.asked(Branch).name)
        self.service.tell("standing", root, {})
        return done
