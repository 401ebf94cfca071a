"""An end to requests whose body does not come."""

from __future__ import annotations

import asyncio

from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

#: The next piece of a request's body comes within so long.
PIECE_S = 60.0


def paced(app: ASGIApp) -> ASGIApp:
    """Return an application that takes a body which stands still for the client's going."""

    async def hurried(scope: Scope, receive: Receive, send: Send) -> None:
        has_more = True

        async def next_message() -> ReceiveMessage:
            nonlocal has_more
            if not has_more:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), PIECE_S)
            except TimeoutError:
                return {"type": "http.disconnect"}
            has_more = message["type"] == "http.request" and message["more_body"]
            return message

        await app(scope, next_message, send)

    return hurried
