"""A project's datasets in the forms that catalogues elsewhere read."""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.data.rdf import json_ld, turtle
from lockgate.hub.datasets.croissant import croissant
from lockgate.hub.datasets.dcat import PREFIXES, dcat
from lockgate.hub.datasets.publishing import page_of, publish
from lockgate.hub.reaching.address import HttpHub, LocalHub
from lockgate.hub.reaching.http_client import HttpClient

Form = Literal["croissant", "dcat", "turtle"]
"""`dcat` is DCAT in JSON-LD, `turtle` DCAT in Turtle."""


def published_form(
    place: LocalHub | HttpHub, form: Form, path: str | None, revision: str | None, address: str | None
) -> bytes:
    """Return the document of one dataset, or, as DCAT, of all that a project has.

    `address`: where the hub is served; left out, where it was asked, or its directory.
    Raises `UserError`: `project-unknown`, `revision-unknown`, `data-unknown`.
    """
    if isinstance(place, HttpHub):
        return _asked(place, form, path, revision)
    served = (address or place.hub.root.as_uri()).rstrip("/")
    found = publish(place.hub, place.project, served, path, revision)
    if form == "croissant":
        (one,) = found
        return _indented(croissant(one))
    triples = dcat(place.project, page_of(served, place.project), found)
    return turtle(triples, PREFIXES).encode() if form == "turtle" else _indented(json_ld(triples, PREFIXES))


def _asked(place: HttpHub, form: Form, path: str | None, revision: str | None) -> bytes:
    query = {name: value for name, value in (("path", path), ("at", revision)) if value}
    if form == "turtle":
        query["form"] = "turtle"
    kind = "croissant" if form == "croissant" else "dcat"
    pieces = HttpClient(place.base).pieces(["projects", place.project, kind], query)
    content = b"".join(pieces)
    return content if form == "turtle" else msgspec.json.format(content, indent=2) + b"\n"


def _indented(document: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
