"""A dataset as catalogues elsewhere take it: what is told of it, and where its bytes are had. Values."""

from __future__ import annotations

import posixpath

import msgspec

from lockgate.data.certification import Standing
from lockgate.data.profile import Profile
from lockgate.data.profiling import format_of
from lockgate.hub.datasets.catalogue import Entry

MEDIA = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "jsonl": "application/jsonlines",
    "parquet": "application/vnd.apache.parquet",
}
OTHER_MEDIA = "application/octet-stream"


class PublishedFile(msgspec.Struct, frozen=True):
    """One file. `address`: where its bytes are had by whoever may read the project."""

    name: str
    address: str
    md5: str
    size_bytes: int

    @property
    def media(self) -> str:
        if self.name.lower().endswith(".gz"):
            return "application/gzip"
        return MEDIA.get(format_of(self.name), OTHER_MEDIA)


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset of a project, at a commit."""

    project: str
    entry: Entry
    standing: Standing
    page: str
    """The address of its page."""
    refreshed_on: str
    """The day of its newest content."""
    files: tuple[PublishedFile, ...] = ()
    is_cut: bool = False
    """There are more files than are told."""
    profile: Profile | None = None

    @property
    def name(self) -> str:
        return posixpath.basename(self.entry.path)

    @property
    def text(self) -> str:
        return self.entry.description.text or f"{self.entry.path} of the project {self.project}"

    @property
    def version(self) -> str:
        return self.entry.description.version or (self.entry.content or "")[:12]
