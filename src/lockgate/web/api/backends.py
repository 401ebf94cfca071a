"""Where runs may go, and whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import get, post

from lockgate.errors import UserError
from lockgate.hub.operation.backend_check import check_backend
from lockgate.hub.operation.backend_list import Offered, list_backends
from lockgate.hub.operation.examination import Finding
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timeout_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0


@get("/projects/{project:str}/backends", sync_to_thread=True)
def list_all(service: Service, visitor: Visitor, project: str) -> Sequence[Offered]:
    """All batch systems that runs of the project may go to, and what uses each."""
    visitor.require("read", project)
    return list_backends(service.hub, project)


@post("/projects/{project:str}/backends/{name:str}/check", status_code=200, sync_to_thread=True)
def check(
    service: Service, visitor: Visitor, project: str, name: str, data: Check | None = None
) -> list[Finding]:
    """Send a tiny job through a batch system; what is found on its way."""
    visitor.require("run", project)
    if name not in {each.name for each in list_backends(service.hub, project)}:
        raise UserError(
            f"there is no backend {name}", "Those there are: lockgate backends", code="backend-unknown"
        )
    return list(check_backend(service.hub, project, name, (data or Check()).timeout_s))


handlers = [list_all, check]
