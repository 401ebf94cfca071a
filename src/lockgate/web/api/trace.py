"""From a file back to the run that made it."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter

from lockgate.errors import UserError
from lockgate.hub.search.trace import MadeFile, by_digest
from lockgate.hub.search.trail import Traced, trace
from lockgate.project.quantities import size_words
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: Above any limit that is set for pictures.
_MOST_BYTES = 200_000_000


@get("/trace", sync_to_thread=True)
def by_md5(
    service: Service, visitor: Visitor, md5: Annotated[str, Parameter(pattern="^[0-9a-fA-F]{32}$")]
) -> list[MadeFile]:
    """The runs that made a file with this digest."""
    visitor.require_known()
    service.catch_up()
    return list(by_digest(service.database, visitor.projects(), md5))


@post("/trace", status_code=200, request_max_body_size=_MOST_BYTES, sync_to_thread=True)
def by_file(service: Service, visitor: Visitor, body: bytes) -> Traced:
    """The runs that made the file in the body, by its bytes or its passport; likenesses are told as such."""
    visitor.require_known()
    limit = service.settings.picture_limit_bytes
    if len(body) > limit:
        raise UserError(
            f"the file is larger than {size_words(limit)}",
            "Ask by its digest: GET /api/v1/trace?md5=…",
            code="too-large",
        )
    service.catch_up()
    return trace(service.database, visitor.projects(), body)


handlers = [by_md5, by_file]
