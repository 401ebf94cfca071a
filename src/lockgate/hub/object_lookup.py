"""Which objects of the store a project may be given: the store is one for all projects of a hub."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.data.digest import parse_listing
from lockgate.data.store import Store
from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.index import Index

_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


def find_object(hub: Hub, project: str, md5: str) -> Path:
    """Return where the store keeps an object that the project has made; another project's is not there.

    Raises `UserError` (`artifact-unknown`).
    """
    store = Store(hub.store)
    if not _MD5.fullmatch(md5) or not store.has(md5):
        raise _unknown(md5)
    index = Index(hub.index, is_read_only=True)
    try:
        if index.names_content(project, md5) or _is_listed(index, store, project, md5):
            return store.path(md5)
    finally:
        index.close()
    raise _unknown(md5)


def _is_listed(index: Index, store: Store, project: str, md5: str) -> bool:
    """Return whether a folder that the project has made holds it."""
    for record in index.results(project):
        for artifact in record.artifacts:
            if artifact.md5.endswith(".dir") and store.has(artifact.md5):
                content = store.read(artifact.md5)
                if md5.encode() in content and any(each.md5 == md5 for each in parse_listing(content)):
                    return True
    return False


def _unknown(md5: str) -> UserError:
    return UserError(
        f"no run of this project made {md5[:40]}",
        "What a run made is listed with it.",
        code="artifact-unknown",
    )
