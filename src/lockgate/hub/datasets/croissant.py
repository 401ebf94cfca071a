"""A dataset as Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html). Pure."""

from __future__ import annotations

from lockgate.data.profile import Kind
from lockgate.hub.datasets.published import Published

#: As the specification's appendix has it.
_CONTEXT: dict[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES: dict[Kind, str] = {
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "day": "sc:Date",
    "moment": "sc:DateTime",
}


def croissant(found: Published) -> dict[str, object]:
    """Return the JSON-LD document of one dataset."""
    said = found.entry.description
    document: dict[str, object] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": found.name,
        "description": found.text,
        "url": found.page,
        "identifier": f"{found.project}/{found.entry.path}",
        "version": found.version,
        "citeAs": ". ".join(
            [*([said.owner] if said.owner else []), f"{found.name}, version {found.version}", found.page]
        ),
        "datePublished": found.refreshed_on,
        "dateModified": said.refreshed_at or found.refreshed_on,
    }
    if said.licence:
        document["license"] = licence_address(said.licence) or said.licence
    if said.owner:
        document["creator"] = {"@type": "sc:Organization", "name": said.owner}
        document["publisher"] = document["creator"]
    if said.source.startswith(("https://", "http://")):
        document["isBasedOn"] = said.source
    if said.labels:
        document["keywords"] = list(said.labels)
    document["distribution"] = [
        {
            "@type": "cr:FileObject",
            # Names with blanks cannot be identifiers, see the specification's "ID and Reference Mechanism"
            "@id": f"file-{number}",
            "name": file.name,
            "contentUrl": file.address,
            "contentSize": f"{file.size_bytes} B",
            "encodingFormat": file.media,
            "md5": file.md5,
        }
        for number, file in enumerate(found.files)
    ]
    records = _records(found)
    if records is not None:
        document["recordSet"] = [records]
    return document


def _records(found: Published) -> dict[str, object] | None:
    """Return the rows of the one table there is; of several tables no single one is the dataset's."""
    profile = found.profile
    if profile is None or not profile.columns or len(found.files) != 1:
        return None
    fields = []
    for number, column in enumerate(profile.columns):
        field: dict[str, object] = {
            "@type": "cr:Field",
            "@id": f"rows/{number}",
            "name": column.name,
            "dataType": _TYPES.get(column.kind, "sc:Text"),
            "source": {"fileObject": {"@id": "file-0"}, "extract": {"column": column.name}},
        }
        if words := found.entry.description.columns.get(column.name):
            field["description"] = words
        fields.append(field)
    return {"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}


def licence_address(licence: str) -> str | None:
    """Return the address of a licence at SPDX; None: it is an expression, or one of one's own."""
    is_one = " " not in licence and "(" not in licence and not licence.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{licence}" if is_one else None
