"""What a project says of itself for those who are given it: licence, authors, title. A pure reading."""

from __future__ import annotations

import re
from collections.abc import Collection

import yaml

from lockgate.runs.crate.contents import About, Author

CITATION = "CITATION.cff"
_LICENCE = re.compile(r"(?:LICEN[CS]E|COPYING)(?:[.-][A-Za-z0-9.-]+)?", re.IGNORECASE)
_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,79}")


def licence_file(paths: Collection[str]) -> str | None:
    """Return the file at the root that holds the licence."""
    return min((path for path in paths if _LICENCE.fullmatch(path)), key=len, default=None)


def about_project(project: str, words: str, citation: bytes | None, licence: str | None) -> About:
    """Return what `CITATION.cff` (https://citation-file-format.github.io, 1.2) says, and `words` where it
    says nothing; one that cannot be read says nothing."""
    try:
        found = yaml.safe_load(citation.decode("utf-8", "replace")) if citation else None
    except (yaml.YAMLError, RecursionError):
        found = None
    told = found if isinstance(found, dict) else {}
    spdx = told.get("license")
    authors = told.get("authors")
    return About(
        title=_text(told.get("title")) or project,
        description=_text(told.get("abstract")) or words,
        licence_file=licence,
        licence=spdx if isinstance(spdx, str) and _SPDX.fullmatch(spdx) else None,
        authors=tuple(
            author
            for each in (authors if isinstance(authors, list) else [])
            if isinstance(each, dict) and (author := _author(each)) is not None
        ),
    )


def _author(told: dict[object, object]) -> Author | None:
    names = [_text(told.get(key)) for key in ("given-names", "name-particle", "family-names", "name-suffix")]
    name = " ".join(part for part in names if part) or _text(told.get("name"))
    orcid = _ORCID.fullmatch(_text(told.get("orcid")) or "")
    return Author(name, f"https://orcid.org/{orcid[1]}" if orcid else None) if name else None


def _text(value: object) -> str | None:
    return " ".join(value.split()) if isinstance(value, str) and value.strip() else None
