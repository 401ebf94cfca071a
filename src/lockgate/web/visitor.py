"""Who asks: found once a request, and asked whether they may."""

from __future__ import annotations

import msgspec
from litestar import Request
from litestar.datastructures import State


class Visitor(msgspec.Struct, frozen=True):
    """The one behind a request."""

    csrf: str = ""
    """What a form of theirs has to bring back."""

    def require(self, action: str, project: str | None) -> None:
        """Raise `UserError` unless they may: `not-allowed`; `project-unknown` where they may not read it."""


async def provide_visitor(request: Request[None, None, State]) -> Visitor:
    visitor = Visitor()
    request.state.visitor = visitor
    return visitor
