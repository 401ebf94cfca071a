"""From a file back to the run that made it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter

from lockgate.errors import UserError
from lockgate.hub.search.trace import Likeness, MadeFile, by_content, by_digest, by_likeness
from lockgate.project.quantities import size_words
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

#: Above any limit that is set for pictures.
_MOST_BYTES = 200_000_000


class Traced(msgspec.Struct, frozen=True):
    """Runs that made exactly this file, and pictures that look like it."""

    exact: tuple[MadeFile, ...]
    alike: tuple[Likeness, ...]


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
    """The runs that made the file in the body; a picture's likenesses are told as such."""
    visitor.require_known()
    limit = service.settings.picture_limit_bytes
    if len(body) > limit:
        raise UserError(
            f"the file is larger than {size_words(limit)}",
            "Ask by its digest: GET /api/v1/trace?md5=…",
            code="too-large",
        )
    service.catch_up()
    projects = visitor.projects()
    exact = by_content(service.database, projects, body)
    try:
        alike = tuple(each for each in by_likeness(service.database, projects, body) if not each.is_exact)
    except UserError:
        alike = ()  # it is no picture
    return Traced(exact, alike)


handlers = [by_md5, by_file]
