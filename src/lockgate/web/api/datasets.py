"""The catalogue: datasets, what they look like, who read them, and their certification."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter

from lockgate.data.certification import Certification, Standing
from lockgate.data.dataset_versions import Version
from lockgate.data.profile import Profile
from lockgate.hub.catalogue import Catalogue, Entry, catalogue
from lockgate.hub.certifying import Asked, certify
from lockgate.hub.dataset_page import look_up
from lockgate.hub.dataset_uses import Read, Uses, read_by
from lockgate.hub.queries import show_run
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

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


@get("/projects/{project:str}/datasets", sync_to_thread=True)
def list_datasets(service: Service, visitor: Visitor, project: str, at: Words | None = None) -> Catalogue:
    """The datasets of a project on its default branch, or at another branch, tag or commit."""
    visitor.require("read", project)
    return catalogue(service.hub, project, at or None)


@get("/projects/{project:str}/dataset", sync_to_thread=True)
def show_dataset(
    service: Service, visitor: Visitor, project: str, path: Words, at: Words | None = None
) -> Dataset:
    """One dataset, by its path: its entry, columns, versions, certifications, and what read it."""
    visitor.require("read", project)
    found = look_up(service.hub, project, path, at or None)
    return Dataset(
        commit=found.commit,
        entry=found.listed.entry,
        standing=found.listed.standing,
        profile=found.profile,
        versions=found.versions,
        certifications=found.certifications,
        uses=found.uses,
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


handlers = [list_datasets, show_dataset, read_datasets, certify_dataset]
