"""What every handler is given: the hub, its settings, and what was opened on it once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.book import MemberBook, open_book
from lockgate.hub.members.logins import read_logins
from lockgate.hub.members.providers import Providers
from lockgate.hub.members.rules import Action, may, refusal, unknown_project
from lockgate.hub.members.values import Actor
from lockgate.hub.oauth.circle import require_no_circle
from lockgate.hub.oauth.clients import read_clients
from lockgate.hub.pushing.entitlement import record_denial, record_refusal
from lockgate.hub.search.database import Database, open_database
from lockgate.hub.search.datasets import DatasetIntake
from lockgate.hub.search.intake import Intake
from lockgate.web.doorman import Doorman
from lockgate.web.news import News
from lockgate.web.settings import Settings
from lockgate.web.tail import Tails

if TYPE_CHECKING:
    from lockgate.hub.oauth.signing import Signer


_TOLD_AGAIN_S = 60.0


class Service:
    """The service's parts, built once a process."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.hub = hub
        self.settings = settings
        self.book: MemberBook = open_book(hub)
        self.logins = read_logins(hub)
        self.providers = Providers(hub, self.logins)
        self.clients = read_clients(hub)
        """The programs that may ask who somebody is, by id."""
        require_no_circle(self.clients, self.logins)
        self.signer: Signer | None = None
        self.database: Database = open_database(hub)
        self.doorman = Doorman(self.book, self.database, self.logins.ldap)
        self.intake = Intake(hub, self.database)
        self.datasets = DatasetIntake(hub, self.database)
        self._has_synced = False
        self._catching_up = threading.Lock()
        self.news = News(hub, self.catch_up)
        self.tails = Tails(hub)
        self.watchers = 0
        self._refused: dict[tuple[str, Action, str], float] = {}
        """Who was refused what where, and when that was told."""

    def catch_up(self, patience_s: float = 0.5) -> None:
        """Take what is new into the search index, unless somebody is long at it: then it comes by itself."""
        if self._catching_up.acquire(timeout=patience_s):
            try:
                if self.intake.sync() or not self._has_synced:
                    self._has_synced = True
                    self.datasets.wake()
            finally:
                self._catching_up.release()

    def close(self) -> None:
        """Let all go who wait for news."""
        self.news.close()
        self.datasets.close()
        self.tails.close()
        self.providers.close()

    def oauth_signer(self) -> Signer:
        """Return what signs ID tokens. It reads a key, at first makes it: not for the thread of the loop."""
        if self.signer is None:
            from lockgate.hub.oauth.signing import Signer  # noqa: PLC0415  (an extra)

            self.signer = Signer(self.hub)
        return self.signer

    def url(self, path: str) -> str:
        """Return the address of one of our paths as a browser is to be given it."""
        return self.settings.prefix + path

    def jupyter_link(self, project: str, path: str = "") -> str:
        """Return what opens a project, or a file of it, in the member's own Jupyter; "": there is none."""
        if not (self.settings.jupyter_url and self.settings.public_url):
            return ""
        asked = {"hub": self.settings.public_url, "project": project} | ({"path": path} if path else {})
        return f"{self.settings.jupyter_url.rstrip('/')}/lockgate/open?{urlencode(asked)}"

    def readable(self, actor: Actor | None) -> tuple[str, ...]:
        """Return the projects that somebody may read."""
        return tuple(project for project in self.hub.projects() if may(actor, "read", project))

    def require(self, actor: Actor | None, action: Action, project: str | None) -> None:
        """Let somebody do this or raise `UserError`: `not-logged-in`, `not-allowed`, `project-unknown`.

        What a member may not do is told in the project's chain, which takes a moment. A project that they may
        not read is told of as one that is not there.
        """
        if actor is None:
            raise UserError(
                "this hub asks who you are", "Log in, or give a token of yours.", code="not-logged-in"
            )
        if project is not None and project not in self.hub.projects():
            raise unknown_project(project)
        if may(actor, action, project):
            return
        if project is not None and not may(actor, "read", project):
            raise unknown_project(project)
        error = refusal(actor, action, project, self.book.leads(project) if project is not None else ())
        if project is not None:
            self._tell(actor, action, project, error)
        raise error

    def _tell(self, actor: Actor, action: Action, project: str, error: UserError) -> None:
        """Put a refusal into the project's chain; the same again within a minute is not told anew."""
        what, now = (actor.name, action, project), time.monotonic()
        if now - self._refused.get(what, -_TOLD_AGAIN_S) < _TOLD_AGAIN_S:
            return
        self._refused = {key: at for key, at in self._refused.items() if now - at < _TOLD_AGAIN_S}
        self._refused[what] = now
        if action == "push":
            record_refusal(self.book, project, actor.name, (), error)
        else:
            record_denial(self.book, project, actor.name, action, error)
