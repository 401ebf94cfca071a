"""Who asks: found once a request, and asked whether they may."""

from __future__ import annotations

from litestar import Request
from litestar.datastructures import State

from lockgate.hub.members.rules import Action, actor_of, may
from lockgate.hub.members.values import Actor
from lockgate.web.authentication import identify
from lockgate.web.service import Service


class Visitor:
    """The one behind a request."""

    def __init__(self, service: Service, actor: Actor | None, csrf: str = "") -> None:
        self.actor = actor
        """None: nobody who is known."""
        self.csrf = csrf
        """What a form of theirs has to bring back."""
        self._service = service

    @property
    def name(self) -> str:
        return self.actor.name if self.actor is not None else ""

    @property
    def email(self) -> str:
        """The address their commits bear."""
        member = self._service.book.find(self.name)
        return member.email if member is not None and member.email else f"{self.name}@localhost"

    def may(self, action: Action, project: str | None = None) -> bool:
        """Return whether they may, for pages that show what can be done."""
        return may(self.actor, action, project)

    def still(self, action: Action, project: str) -> bool:
        """Return whether they may even now: what was so when a stream began may have changed since."""
        if self.actor is None or self.actor.is_owner:
            return self.actor is not None and self._service.book.is_open
        member = self._service.book.find(self.actor.name)
        now = actor_of(member) if member is not None else None
        return may(self.actor, action, project) and may(now, action, project)

    def require(self, action: Action, project: str | None = None) -> None:
        """Raise `UserError` unless they may: `not-logged-in`, `not-allowed`, `project-unknown`."""
        self._service.require(self.actor, action, project)

    def require_known(self) -> Actor:
        """Return who it is. Raises `UserError` (`not-logged-in`)."""
        if self.actor is None:
            self._service.require(None, "read", None)
        assert self.actor is not None
        return self.actor

    def projects(self) -> tuple[str, ...]:
        """Return the projects they may read."""
        return self._service.readable(self.actor)


async def provide_visitor(request: Request[None, None, State], service: Service) -> Visitor:
    actor = await identify(service, request.scope)
    visitor = Visitor(service, actor)
    request.state.visitor = visitor
    return visitor
