"""Scripts, style and pictures of the pages: read once, sent from memory, packed for whoever unpacks them."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.datastructures import State
from litestar.exceptions import NotFoundException

STATIC = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class Asset(msgspec.Struct, frozen=True):
    """One file; `tag` is what a browser asks by whether it has it."""

    kind: str
    content: bytes
    packed: bytes
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Return all of them by their names."""
    return {path.name: _read(path) for path in STATIC.iterdir() if path.suffix in _KINDS}


@route(
    "/static/{name:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
    sync_to_thread=False,
)
def show(request: Request[None, None, State], name: str) -> Response[bytes]:
    """One of them, whole, packed, or not at all where the browser has it."""
    asset = assets().get(name)
    if asset is None:
        raise NotFoundException
    headers = {"cache-control": "max-age=3600, public", "vary": "accept-encoding"}
    is_packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{asset.tag}{"-gzip" if is_packed else ""}"'
    headers["etag"] = tag
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=asset.kind)
    if is_packed:
        headers["content-encoding"] = "gzip"
    return Response(
        asset.packed if is_packed else asset.content, status_code=200, headers=headers, media_type=asset.kind
    )


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    # Without a time in it the same bytes are made by every worker
    packed = gzip.compress(content, mtime=0)
    return Asset(_KINDS[path.suffix], content, packed, hashlib.sha256(content).hexdigest()[:20])


handlers = [show]
