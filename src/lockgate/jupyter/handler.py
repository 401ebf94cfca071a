"""What every path does: read the request, call one function, answer in JSON, tell a mistake in words."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import msgspec
from jupyter_server.base.handlers import APIHandler

from lockgate.errors import LockgateError, UserError
from lockgate.jupyter.service import Service

_T = TypeVar("_T")


class Handler(APIHandler):
    """One path."""

    @property
    def service(self) -> Service:
        found: Service = self.settings["lockgate_service"]
        return found

    @property
    def path_asked(self) -> str:
        """The file or folder a request is about, as Jupyter calls it."""
        return str(self.get_query_argument("path", ""))

    @property
    def project(self) -> Path:
        """The root of the project that the request is about. Raises as `Service.project_at`."""
        return self.service.project_at(self.path_asked)

    def asked(self, kind: type[_T]) -> _T:
        """Return the request's body as this struct. Raises `UserError` (`request-unreadable`)."""
        try:
            return msgspec.json.decode(self.request.body or b"{}", type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise UserError(
                f"the request is not what is expected here: {error}",
                "Reload the page: it may be older than the server.",
                code="request-unreadable",
            ) from None

    async def answer(self, found: Awaitable[object]) -> None:
        """Answer with what is found, or with the mistake's cause, way out and code."""
        try:
            content: object = await found
        except LockgateError as error:
            self.set_status(400 if isinstance(error, UserError) else 502)
            content = {"message": error.message, "hint": error.hint, "code": error.code}
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(content))
