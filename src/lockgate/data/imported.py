"""Pointers to data of another repository, in the form of `dvc import`. Pure.

The form is that of DVC 3.67: `dvc/dependency/repo.py` (`REPO_SCHEMA`, `dumpd`) and, for the digest of the
declaration, `dvc/stage/utils.py` (`compute_md5`).
"""

from __future__ import annotations

import json
import re

import msgspec

from lockgate.data.dataset_name import DatasetName
from lockgate.data.digest import md5_of
from lockgate.data.output import Output, Plain, Pointer, relative
from lockgate.data.pointer import pointer_file

#: How a project of a hub is addressed: by path and ssh, by a member's ssh, over HTTP.
_OF_A_HUB = re.compile(
    r".*/(?:repositories|git)/(?P<long>[^/]+?)\.git/?"
    r"|(?:ssh|git\+ssh)://[^/]+/(?P<ssh>[^/]+?)\.git/?"
    r"|[^/:]+:/?(?P<scp>[^/]+?)\.git/?"
)


class Origin(msgspec.Struct, frozen=True):
    """Where an import comes from, pinned to a commit."""

    url: str
    """Of the other repository, as git takes it."""
    path: str
    """In that repository."""
    commit: str
    version: str = ""
    """What was followed to the commit: a branch, a tag, a run; "": the default branch."""

    @property
    def project(self) -> str | None:
        """Return the project, where the address looks like that of a hub's."""
        found = _OF_A_HUB.fullmatch(self.url)
        return next((name for name in found.groups() if name), None) if found else None

    @property
    def words(self) -> str:
        """Return where it comes from: `hub://PROJECT/path@version`, or the address where that is no hub's."""
        project = self.project
        version = self.version or self.commit[:10]
        if project is not None:
            return DatasetName(project, self.path, version).words
        return f"{self.path} of {self.url}@{version}"


def origin_of(pointer: Pointer) -> Origin | None:
    """Return where a pointer's data was imported from; None: from no repository, or no certain commit."""
    if len(pointer.dependencies) != 1:
        return None
    path, repo = pointer.dependencies[0].get("path"), pointer.dependencies[0].get("repo")
    if not isinstance(repo, dict) or not isinstance(path, str):
        return None
    url, commit, version = repo.get("url"), repo.get("rev_lock"), repo.get("rev") or ""
    if not isinstance(url, str) or not isinstance(commit, str) or not isinstance(version, str):
        return None
    return Origin(url, path, commit, version)


def is_import(text: str) -> bool:
    """Return whether a pointer's text may be that of an import: a quick look before it is read."""
    return "rev_lock:" in text and "repo:" in text


def import_pointer(output: Output, origin: Origin) -> Pointer:
    """Return the pointer that `dvc import` makes for this output."""
    repo: dict[str, Plain] = {"url": origin.url}
    if origin.version:
        repo["rev"] = origin.version
    repo["rev_lock"] = origin.commit
    dependency: dict[str, Plain] = {"path": origin.path, "repo": repo}
    out: dict[str, Plain] = {"md5": output.md5, "hash": "md5"}
    out["path"] = relative(output.path, output.path.rpartition("/")[0])
    if output.remote is not None:
        out["remote"] = output.remote
    if not output.push:
        out["push"] = False
    declared = {"deps": [dependency], "outs": [out]}
    digest = md5_of(json.dumps(declared, sort_keys=True).encode())
    return Pointer(
        pointer_file(output.path), (output,), dependencies=(dependency,), is_frozen=True, md5=digest
    )


def renewed(pointer: Pointer, output: Output, origin: Origin) -> Pointer:
    """Return an import's pointer moved to another version; what is said of the data stays."""
    kept = msgspec.structs.replace(
        pointer.outputs[0],
        md5=output.md5,
        size_bytes=output.size_bytes,
        file_count=output.file_count,
        is_executable=output.is_executable,
        is_legacy=False,
    )
    fresh = import_pointer(kept, origin)
    return msgspec.structs.replace(
        pointer, outputs=(kept,), dependencies=fresh.dependencies, is_frozen=True, md5=fresh.md5
    )
