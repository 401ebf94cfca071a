"""Answering with a file that a member's code made: whatever is in it, it must do nothing here."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import State
from litestar.response import File

from lockgate.hub.showing.artifact_content import File as Made
from lockgate.hub.showing.artifact_content import read_file, stored_at
from lockgate.hub.showing.stamping import stamped_copy
from lockgate.hub.worktree.journal_entry import read_picture
from lockgate.runs.record import StageRecord
from lockgate.web.security import SANDBOX
from lockgate.web.service import Service

_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
}
_SHOWN = {".svg": "image/svg+xml", ".html": "text/html", ".htm": "text/html"}
_TEXTS = frozenset(
    (
        ".csv", ".tsv", ".txt", ".log", ".md", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".lock", ".py",
        ".r", ".sql", ".sh", ".ipynb", ".xml", ".ini", ".cfg", ".tex",
    )
)  # fmt: skip
_TEXT = "text/plain"  # UTF-8 is added


def answer_with(
    request: Request[None, None, State],
    service: Service,
    project: str,
    file: Made,
    *,
    is_download: bool = False,
    records: Mapping[str, StageRecord] | None = None,
) -> Response[bytes] | File:
    """Return the bytes: pictures and text to be seen, pages and drawings without scripts, all else to keep.

    `records`, of the run: a figure is a copy with its passport, where the project asks for that. The same
    bytes are not sent twice to one who names their digest.
    """
    kind, is_shown = kind_of(file.path)
    copy = stamped_copy(service.hub, project, records, file) if records is not None else None
    identity = f'"{file.md5 or file.git}{"" if copy is None else "-passport"}"'
    headers = {
        "content-security-policy": SANDBOX,
        "cache-control": "private, no-cache",
        "content-disposition": disposition(file.path, is_shown=is_shown and not is_download),
        "etag": identity,
    }
    if identity in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    if copy is not None:
        return Response(copy, media_type=kind, headers=headers)
    place = stored_at(service.hub, file)
    if place is not None:
        return File(place, media_type=kind, headers=headers)
    return Response(read_file(service.hub, project, file, file.size_bytes), media_type=kind, headers=headers)


def picture_answer(service: Service, project: str, entry: str, path: str) -> Response[bytes]:
    """Return a picture of an entry of a journal; an entry never changes, so neither do its bytes."""
    kind, is_shown = kind_of(path)
    return Response(
        read_picture(service.hub.repository(project), entry, path),
        media_type=kind,
        headers={
            "content-security-policy": SANDBOX,
            "cache-control": "private, max-age=86400, immutable",
            "content-disposition": disposition(path, is_shown=is_shown),
        },
    )


def kind_of(path: str) -> tuple[str, bool]:
    """Return the media type a file is sent as, and whether a browser may show it."""
    ending = PurePosixPath(path).suffix.lower()
    if ending in _PICTURES:
        return _PICTURES[ending], True
    if ending in _SHOWN:
        return _SHOWN[ending], True
    if ending in _TEXTS:
        return _TEXT, True
    guessed = mimetypes.guess_type(path)[0] or ""
    is_text = guessed.startswith("text/") and guessed not in ("text/html", "text/javascript", "text/css")
    return (_TEXT, True) if is_text else ("application/octet-stream", False)


def disposition(path: str, *, is_shown: bool) -> str:
    """Return the header for a file of this name, see RFC 6266."""
    name = quote(PurePosixPath(path).name.encode("utf-8", "replace"), safe="")
    return f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{name}"


def object_answer(file: Path) -> File:
    """Return an object of the store as it is, to be kept."""
    return File(file, filename=file.name, media_type="application/octet-stream")
