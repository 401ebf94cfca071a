"""Home: what a member sees first."""

from __future__ import annotations

from litestar import Request, Response, get
from litestar.datastructures import State

from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@get("/", include_in_schema=False)
async def show(request: Request[None, None, State], service: Service, visitor: Visitor) -> Response[bytes]:
    return render(request, "home.html", projects=service.hub.projects())


handlers = [show]
