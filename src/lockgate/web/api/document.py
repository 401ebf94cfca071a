"""The API's own description, for programs that generate clients or tests of it."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.datastructures import State


@get("/openapi.json", include_in_schema=False, media_type="application/json", sync_to_thread=False)
def show(request: Request[None, None, State]) -> dict[str, object]:
    return described(request.app.openapi_schema.to_schema())


def described(schema: dict[str, Any]) -> dict[str, object]:
    """Add what is so of every operation: who asks is told by a token, and a failure has one form."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Failure"] = _FAILURE
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    for path in schema["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            for status in [status for status in responses if status.startswith(("4", "5"))]:
                del responses[status]
            responses["default"] = {
                "description": "It was refused, or failed",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
            }
    return schema


_WORD = {"type": "string"}
_FAILURE = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {"code": _WORD, "message": _WORD, "hint": _WORD},
        }
    },
}


handlers = [show]
