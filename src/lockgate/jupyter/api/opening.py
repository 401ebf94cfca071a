"""A link of the hub opens a project here: it is asked for, cloned by the member's own login, and shown."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from lockgate.errors import LockgateError, UserError
from lockgate.hub.members.code_flow import failed
from lockgate.hub.worktree.cloning import clone
from lockgate.hub.worktree.code_login import Begun, begin, code_in, finish, is_let_in
from lockgate.jupyter.opening_page import asking, telling
from lockgate.jupyter.service import Service
from lockgate.jupyter.wanted import Wanted, read_wanted

#: Whoever begins a login comes back within so long.
_PATIENCE_S = 600.0
_WAITING_AT_MOST = 50


class Trust(msgspec.Struct, frozen=True):
    """Which hubs projects are taken from, and what this server is called there; "": it logs in nowhere."""

    hubs: tuple[str, ...] = ()
    oauth_client: str = ""


class Waiting:
    """Logins that were begun, by their state; each is answered once."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, Begun, Wanted]] = {}

    def put(self, begun: Begun, wanted: Wanted) -> None:
        now = time.monotonic()
        kept = [(state, each) for state, each in self._begun.items() if now - each[0] < _PATIENCE_S]
        self._begun = dict(kept[-_WAITING_AT_MOST + 1 :])
        self._begun[begun.state] = (now, begun, wanted)

    def take(self, state: str) -> tuple[Begun, Wanted]:
        """Raises `UserError` (`login-failed`)."""
        at, begun, wanted = self._begun.pop(state, (0.0, None, None))
        if begun is None or wanted is None or time.monotonic() - at > _PATIENCE_S:
            raise failed("it was not begun here, or too long ago")
        return begun, wanted


class _Page(JupyterHandler):
    """Pages for people; a mistake is told in words there too."""

    @property
    def service(self) -> Service:
        found: Service = self.settings["lockgate_service"]
        return found

    @property
    def trust(self) -> Trust:
        found: Trust = self.settings["lockgate_trust"]
        return found

    @property
    def waiting(self) -> Waiting:
        found: Waiting = self.settings["lockgate_waiting"]
        return found

    @property
    def content_security_policy(self) -> str:
        # The form's way leads over the hub, where somebody logs in
        hubs = " ".join(f"{found.scheme}://{found.netloc}" for found in map(urlsplit, self.trust.hubs))
        return (
            f"default-src 'none'; style-src 'nonce-{self._nonce}'; form-action 'self' {hubs}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    @property
    def _nonce(self) -> str:
        made: str = self.__dict__.setdefault("_nonce_made", secrets.token_urlsafe(16))
        return made

    def wanted(self) -> Wanted:
        """Raises as `read_wanted`."""
        named = (str(self.get_argument(name, "")) for name in ("hub", "project", "path"))
        hub, project, path = named
        return read_wanted(hub, project, path, self.trust.hubs)

    def tell(self, error: LockgateError) -> None:
        self.set_status(400 if isinstance(error, UserError) else 502)
        self._show(telling(error, self._nonce))

    def _show(self, page: str) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish(page)

    async def open(self, wanted: Wanted) -> None:
        """Bring the project here and lead to it in Lab."""
        root = self.service.root
        done = await self.service.do(clone, wanted.hub, wanted.project, root)
        folder = Path(done.folder)
        file = (folder / wanted.path).resolve()
        is_there = wanted.path and file.is_relative_to(folder) and file.exists()
        named = f"{wanted.project}/{wanted.path}" if is_there else wanted.project
        self.redirect(url_path_join(self.base_url, "lab/tree", quote(named)))


class Open(_Page):
    """`GET ?hub=&project=&path=`: ask. `POST`: do it, after a login at the hub where one is needed."""

    @authenticated
    async def get(self) -> Any:
        try:
            self._show(asking(self.wanted(), self.xsrf_form_html(), self._nonce))
        except LockgateError as error:
            self.tell(error)

    @authenticated
    async def post(self) -> Any:
        try:
            wanted = self.wanted()
            client = self.trust.oauth_client
            if client and not await self.service.do(is_let_in, wanted.hub):
                begun = begin(wanted.hub, client, self._answered_at())
                self.waiting.put(begun, wanted)
                self.redirect(begun.url)
                return
            await self.open(wanted)
        except LockgateError as error:
            self.tell(error)

    def _answered_at(self) -> str:
        """Return the address the hub sends the browser to: it compares it with the one it knows."""
        path = url_path_join(self.base_url, "lockgate/answer")
        return f"{self.request.protocol}://{self.request.host}{path}"


class Answer(_Page):
    """`GET`: the hub sends the browser back, with the code for the member's own token."""

    @authenticated
    async def get(self) -> Any:
        try:
            told = {name: str(self.get_query_argument(name)) for name in self.request.query_arguments}
            begun, wanted = self.waiting.take(told.get("state", ""))
            await self.service.do(finish, begun, code_in(begun, told))
            await self.open(wanted)
        except LockgateError as error:
            self.tell(error)
