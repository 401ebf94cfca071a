"""The catalogue: datasets, what they look like, who read them, and their certification."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import Parameter

from lockgate.data.acceptance import Acceptance
from lockgate.data.certification import Certification, Standing
from lockgate.data.dataset_versions import Version
from lockgate.data.profile import Profile
from lockgate.data.rdf import json_ld, turtle
from lockgate.hub.datasets.accepting import Asked as Accepting
from lockgate.hub.datasets.accepting import accept
from lockgate.hub.datasets.catalogue import Catalogue, Entry, catalogue
from lockgate.hub.datasets.certifying import Asked, certify
from lockgate.hub.datasets.croissant import croissant
from lockgate.hub.datasets.dataset_checks import DatasetChecks
from lockgate.hub.datasets.dataset_page import look_up
from lockgate.hub.datasets.dataset_uses import Read, Uses, read_by
from lockgate.hub.datasets.dcat import PREFIXES, dcat
from lockgate.hub.datasets.importers import Importer
from lockgate.hub.datasets.publishing import page_of, publish
from lockgate.hub.indexing.queries import show_run
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_JSON_LD = "application/ld+json"
Words = Annotated[str, Parameter(max_length=1000)]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one dataset. `profile` null: its bytes are not on the hub."""

    commit: str
    entry: Entry
    standing: Standing
    profile: Profile | None
    versions: tuple[Version, ...]
    certifications: tuple[Certification, ...]
    uses: Uses
    checks: DatasetChecks
    importers: tuple[Importer, ...]
    """The other projects that use it, of those you may read."""


@get("/projects/{project:str}/datasets", sync_to_thread=True)
def list_datasets(service: Service, visitor: Visitor, project: str, at: Words | None = None) -> Catalogue:
    """The datasets of a project on its default branch, or at another branch, tag or commit."""
    visitor.require("read", project)
    return catalogue(service.hub, project, at or None)


@get("/projects/{project:str}/dataset", sync_to_thread=True)
def show_dataset(
    service: Service, visitor: Visitor, project: str, path: Words, at: Words | None = None
) -> Dataset:
    """One dataset, by its path: its entry, columns, versions, certifications, readers, and checks."""
    visitor.require("read", project)
    found = look_up(service.hub, project, path, at or None, visitor.projects())
    return Dataset(
        commit=found.commit,
        entry=found.listed.entry,
        standing=found.listed.standing,
        profile=found.profile,
        versions=found.versions,
        certifications=found.certifications,
        uses=found.uses,
        checks=found.checks,
        importers=found.importers,
    )


@get("/projects/{project:str}/runs/{run:str}/datasets", sync_to_thread=True)
def read_datasets(service: Service, visitor: Visitor, project: str, run: str) -> list[Read]:
    """The datasets that the stages of a run read, and how those versions stand today."""
    visitor.require("read", project)
    view = show_run(service.hub, project, run)
    return list(read_by(service.hub, project, view.line.commit, view.records))


@post("/projects/{project:str}/certifications", sync_to_thread=True)
def certify_dataset(service: Service, visitor: Visitor, project: str, data: Asked) -> Certification:
    """Certify exactly one version of a dataset, or take that back."""
    visitor.require("certify", project)
    return certify(service.hub, project, data, visitor.name, visitor.email)


@post("/projects/{project:str}/acceptances", sync_to_thread=True)
def accept_drift(service: Service, visitor: Visitor, project: str, data: Accepting) -> Acceptance:
    """Accept the drift that a check found: checks compare with that version from then on."""
    visitor.require("read", project)
    return accept(service.hub, project, data, visitor.require_known(), visitor.email)


@get("/projects/{project:str}/croissant", sync_to_thread=True, media_type=_JSON_LD)
def as_croissant(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    path: Words,
    at: Words | None = None,
) -> dict[str, object]:
    """One dataset as Croissant, for the tools of machine learning."""
    visitor.require("read", project)
    (found,) = publish(service.hub, project, _address(request, service), path, at or None)
    return croissant(found)


@get("/projects/{project:str}/dcat", sync_to_thread=True, media_type=_JSON_LD)
def as_dcat(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    form: Literal["json-ld", "turtle"] = "json-ld",
    path: Words | None = None,
    at: Words | None = None,
) -> Response[dict[str, object]] | Response[bytes]:
    """The whole catalogue, or one dataset, as DCAT, in JSON-LD or Turtle."""
    visitor.require("read", project)
    address = _address(request, service)
    triples = dcat(
        project, page_of(address, project), publish(service.hub, project, address, path or None, at or None)
    )
    if form == "turtle":
        return Response(turtle(triples, PREFIXES).encode(), media_type="text/turtle; charset=utf-8")
    return Response(json_ld(triples, PREFIXES), media_type=_JSON_LD)


def _address(request: Request[None, None, State], service: Service) -> str:
    """Return where the hub is served, as others reach it."""
    return service.settings.public_url or str(request.base_url).rstrip("/")


handlers = [as_croissant, as_dcat, list_datasets, show_dataset, read_datasets, certify_dataset, accept_drift]
