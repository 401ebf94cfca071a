"""From a file at hand to the run that made it, asked of a hub here, behind its service, or behind ssh."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from lockgate.data.digest import md5_of, md5_of_pieces
from lockgate.errors import OutsideError
from lockgate.hub.reaching.address import HttpHub, LocalHub
from lockgate.hub.reaching.http_client import HttpClient

if TYPE_CHECKING:
    from lockgate.hub.search.trail import Traced

#: Of a larger file only the digest is looked up: it is no picture that is looked at.
MOST_BYTES = 30_000_000
_STEP = 1 << 20


def ask_trace(place: LocalHub | HttpHub, stream: BinaryIO, projects: Sequence[str] = ()) -> Traced:
    """Return what a hub knows of a file; `projects`: of a hub here, which ones; none named: all.

    Raises `OutsideError`: `search-missing`, and those of the search index or of the service.
    """
    beginning = stream.read(MOST_BYTES + 1)
    is_small = len(beginning) <= MOST_BYTES
    md5 = (
        md5_of(beginning)
        if is_small
        else md5_of_pieces(chain([beginning], iter(partial(stream.read, _STEP), b"")))
    )
    if isinstance(place, LocalHub):
        return _trace_here(place, projects, beginning if is_small else None, md5)
    from lockgate.hub.search.trace import MadeFile  # noqa: PLC0415
    from lockgate.hub.search.trail import Traced  # noqa: PLC0415

    client = HttpClient(place.base)
    if is_small:
        return client.post_bytes(["trace"], Traced, beginning)
    return Traced(exact=client.get(["trace"], tuple[MadeFile, ...], {"md5": md5}))


def _trace_here(place: LocalHub, projects: Sequence[str], content: bytes | None, md5: str) -> Traced:
    try:
        from lockgate.hub.search.database import open_database  # noqa: PLC0415
        from lockgate.hub.search.intake import Intake  # noqa: PLC0415
        from lockgate.hub.search.trace import by_digest  # noqa: PLC0415
        from lockgate.hub.search.trail import Traced, trace  # noqa: PLC0415
    except ImportError as error:
        raise OutsideError(
            f"files are traced by the search index, which needs {error.name}",
            'Install it beside Lockgate: pip install "lockgate[hub]"',
            code="search-missing",
        ) from None
    database = open_database(place.hub)
    try:
        Intake(place.hub, database).sync()
        asked = tuple(projects) or tuple(place.hub.projects())
        if content is None:
            return Traced(exact=by_digest(database, asked, md5))
        return trace(database, asked, content)
    finally:
        database.close()
