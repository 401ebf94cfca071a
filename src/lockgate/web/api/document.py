"""The API's own description, for programs that generate clients or tests of it."""

from __future__ import annotations

from litestar import Request, get
from litestar.datastructures import State


@get("/openapi.json", include_in_schema=False, media_type="application/json", sync_to_thread=False)
def show(request: Request[None, None, State]) -> dict[str, object]:
    return request.app.openapi_schema.to_schema()


handlers = [show]
