"""What a verification found, for a run's page; and the picture of where two pictures differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

import msgspec
from litestar import Response, get

from lockgate.errors import LockgateError, UserError
from lockgate.hub.indexing.queries import RunView, show_run
from lockgate.hub.showing.artifact_content import File, files_of, find_file
from lockgate.hub.showing.badge import badge_key
from lockgate.hub.showing.picture_difference import picture_difference
from lockgate.verify.figures import PICTURES
from lockgate.verify.report import ArtifactProof, Verification, in_words
from lockgate.web.pages.table_rows import TableRow, table_row
from lockgate.web.security import SANDBOX
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_PICTURES_AT_MOST = 12
_TABLES_AT_MOST = 6
_FILES_AT_MOST = 400


class Told(msgspec.Struct, frozen=True):
    """An artifact that is not identical, with its verdict in words."""

    artifact: ArtifactProof
    verdict: str


class Pair(msgspec.Struct, frozen=True):
    """A picture that differs; `is_drawn`: where, can be shown as a picture."""

    path: str
    words: str
    is_drawn: bool


class ProofView(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the block Proof. `is_own`: the page is that of the run that verified."""

    found: Verification
    verdict: str
    is_own: bool
    told: tuple[Told, ...]
    pictures: tuple[Pair, ...]
    tables: tuple[TableRow, ...]
    badge: str = ""
    run_badge: str = ""
    badge_path: str = ""


def proof_of(service: Service, project: str, view: RunView, address: str) -> ProofView | None:
    """Return what the newest verification of a run found; None: it was never verified.

    `address`: of the service, for the lines of a README; empty: none are to be shown.
    """
    if not view.verifications:
        return None
    found = view.verifications[0]
    told = tuple(
        Told(each, in_words(each.verdict)) for each in found.artifacts if each.verdict != "identical"
    )
    pairs = tuple(_pairs(service, project, view, found))
    words = {each.path: each.words for each in found.artifacts}
    made = ProofView(
        found=found,
        verdict=in_words(found.verdict),
        is_own=found.by_run == view.line.id,
        told=told,
        pictures=tuple(
            Pair(one.path, words.get(one.path, ""), one.path.lower().endswith(PICTURES))
            for one, _ in islice(_of_kind(pairs, "figure"), _PICTURES_AT_MOST)
        ),
        tables=tuple(
            table_row(service, project, one, other, 1)
            for one, other in islice(_of_kind(pairs, "table"), _TABLES_AT_MOST)
        ),
    )
    return _with_badges(service, project, made, address) if address else made


def _of_kind(pairs: tuple[tuple[File, File], ...], kind: str) -> Iterator[tuple[File, File]]:
    for one, other in pairs:
        if one.kind == kind and not one.path.lower().endswith(".pdf"):
            yield one, other


def _pairs(service: Service, project: str, view: RunView, found: Verification) -> Iterator[tuple[File, File]]:
    """Yield each file that differs, as it was recorded and as it was made again."""
    paths = {each.path for each in found.artifacts if each.verdict == "differs"}
    if not paths:
        return
    try:
        views = [
            view if view.line.id == run else show_run(service.hub, project, run)
            for run in (found.run, found.by_run)
        ]
    except UserError:
        return  # what was imported or cleared away has a verdict, and no artifacts
    sides = [
        {
            file.path: file
            for artifact in each.artifacts
            if artifact.path in paths
            for file in files_of(service.hub, project, artifact, _FILES_AT_MOST)
        }
        for each in views
    ]
    for path, one in sides[0].items():
        other = sides[1].get(path)
        if other is not None and (one.git, one.md5) != (other.git, other.md5):
            yield one, other


def _with_badges(service: Service, project: str, made: ProofView, address: str) -> ProofView:
    try:
        key = badge_key(service.hub, project)
    except LockgateError:
        return made
    place = f"/p/{quote(project, safe='')}"
    run = f"{place}/runs/{made.found.run}"
    return msgspec.structs.replace(
        made,
        badge=f"[![proof]({address}{place}/badge.svg?key={key})]({address}{place})",
        run_badge=f"[![proof]({address}{run}/badge.svg?key={key})]({address}{run})",
        badge_path=service.url(f"{place}/badge.svg?key={key}"),
    )


@get("/p/{project:str}/runs/{run:str}/difference/{file:path}", include_in_schema=False, sync_to_thread=True)
def show_difference(service: Service, visitor: Visitor, project: str, run: str, file: str) -> Response[bytes]:
    """Where a picture that a verification made again differs from the recorded one, as a PNG."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    path = file.removeprefix("/")
    found = next((each for each in view.verifications if each.by_run == view.line.id), None)
    if found is None:
        raise UserError(f"run {run} verifies no other", "Its page tells what it is.", code="artifact-unknown")
    recorded = show_run(service.hub, project, found.run)
    one, other = (find_file(service.hub, project, each.artifacts, path) for each in (recorded, view))
    drawn = picture_difference(service.hub, project, one, other)
    if drawn is None:
        raise UserError(
            f"where {path} differs cannot be drawn",
            "The two differ in size, are too large, or are no pictures; look at them side by side.",
            code="picture-invalid",
        )
    headers = {"content-security-policy": SANDBOX, "cache-control": "private, max-age=86400"}
    return Response(drawn, media_type="image/png", headers=headers)


handlers = [show_difference]
