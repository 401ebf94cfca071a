"""A project's catalogue as DCAT 3 (https://www.w3.org/TR/vocab-dcat-3/), as DCAT-AP 3 asks for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.data.rdf import TYPE, Blank, Iri, Literal, Triple, iri_of
from lockgate.hub.datasets.croissant import licence_address
from lockgate.hub.datasets.published import OTHER_MEDIA, Published

PREFIXES = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_IANA = "https://www.iana.org/assignments/media-types/"


def dcat(project: str, page: str, found: Sequence[Published]) -> list[Triple]:
    """Return the graph of a project's catalogue, whose page is at `page`."""
    triples: list[Triple] = []
    catalogue = iri_of(page)
    publisher = Blank("publisher")
    triples += [
        (catalogue, TYPE, Iri("dcat:Catalog")),
        (catalogue, Iri("dct:title"), Literal(project)),
        (catalogue, Iri("dct:description"), Literal(f"The datasets of the project {project}")),
        (catalogue, Iri("dct:publisher"), publisher),
        *_agent(publisher, project),
    ]
    for number, each in enumerate(found):
        dataset = iri_of(f"{each.page}#dataset")
        triples.append((catalogue, Iri("dcat:dataset"), dataset))
        triples += _dataset(dataset, each, number)
    return triples


def _agent(agent: Blank, name: str) -> Iterator[Triple]:
    yield agent, TYPE, Iri("foaf:Agent")
    yield agent, Iri("foaf:name"), Literal(name)


def _dataset(dataset: Iri, found: Published, number: int) -> Iterator[Triple]:
    said = found.entry.description
    yield dataset, TYPE, Iri("dcat:Dataset")
    yield dataset, Iri("dct:title"), Literal(found.entry.path)
    yield dataset, Iri("dct:description"), Literal(found.text)
    yield dataset, Iri("dct:identifier"), Literal(f"{found.project}/{found.entry.path}")
    page = iri_of(found.page)
    yield dataset, Iri("dcat:landingPage"), page
    yield page, TYPE, Iri("foaf:Document")
    yield page, TYPE, Iri("rdfs:Resource")
    yield dataset, Iri("dcat:version"), Literal(found.version)
    if found.refreshed_on:
        yield dataset, Iri("dct:modified"), _day(said.refreshed_at or found.refreshed_on)
    if said.owner:
        owner = Blank(f"owner{number}")
        yield dataset, Iri("dct:publisher"), owner
        yield from _agent(owner, said.owner)
    for label in said.labels:
        yield dataset, Iri("dcat:keyword"), Literal(label)
    if said.source.startswith(("https://", "http://")):
        yield dataset, Iri("prov:wasDerivedFrom"), iri_of(said.source)
    for position, file in enumerate(found.files):
        distribution = iri_of(f"{found.page}#file-{position}")
        yield dataset, Iri("dcat:distribution"), distribution
        yield distribution, TYPE, Iri("dcat:Distribution")
        yield distribution, Iri("dct:title"), Literal(file.name)
        yield distribution, Iri("dcat:accessURL"), iri_of(found.page)
        yield distribution, Iri("dcat:downloadURL"), iri_of(file.address)
        # True of everything, and yet asked for by DCAT-AP's shapes
        yield iri_of(file.address), TYPE, Iri("rdfs:Resource")
        yield distribution, Iri("dcat:byteSize"), Literal(str(file.size_bytes), "xsd:nonNegativeInteger")
        if file.media != OTHER_MEDIA:
            media = Iri(_IANA + file.media)
            yield distribution, Iri("dcat:mediaType"), media
            yield media, TYPE, Iri("dct:MediaType")
        checksum = Blank(f"md5x{number}x{position}")
        yield distribution, Iri("spdx:checksum"), checksum
        yield checksum, TYPE, Iri("spdx:Checksum")
        yield checksum, Iri("spdx:algorithm"), Iri("spdx:checksumAlgorithm_md5")
        yield checksum, Iri("spdx:checksumValue"), Literal(file.md5, "xsd:hexBinary")
        yield Iri("spdx:checksumAlgorithm_md5"), TYPE, Iri("spdx:ChecksumAlgorithm")
        yield from _licence(distribution, said.licence, f"licence{number}x{position}")


def _licence(distribution: Iri, licence: str, label: str) -> Iterator[Triple]:
    if not licence:
        return
    address = licence_address(licence)
    document = iri_of(address) if address is not None else Blank(label)
    yield distribution, Iri("dct:license"), document
    yield document, TYPE, Iri("dct:LicenseDocument")
    if address is None:
        yield document, Iri("rdfs:label"), Literal(licence)


def _day(text: str) -> Literal:
    return Literal(text, "xsd:dateTime" if "T" in text else "xsd:date")
