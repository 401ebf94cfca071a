"""What names a dataset of another project: `hub://PROJECT/path@version`. Pure."""

from __future__ import annotations

import re

import msgspec

from lockgate.errors import UserError

_SCHEME = "hub://"
_FORM = re.compile(r"hub://(?P<project>[^/@\s]+)/(?P<path>.+?)(?:@(?P<version>[^@\s]+))?")


class DatasetName(msgspec.Struct, frozen=True):
    """A dataset by project, path and version: a branch, tag, commit or run; "": the default branch's."""

    project: str
    path: str
    version: str = ""

    @property
    def words(self) -> str:
        """As a member writes it."""
        return f"{_SCHEME}{self.project}/{self.path}" + (f"@{self.version}" if self.version else "")


def parse_dataset_name(text: str) -> DatasetName:
    """Read `hub://PROJECT/path@version`. Raises `UserError` (`dataset-name`)."""
    found = _FORM.fullmatch(text)
    parts = found["path"].rstrip("/").split("/") if found else []
    if found is None or any(part in ("", ".", "..") for part in parts) or not text.isprintable():
        raise UserError(
            f"{text[:200]!a} names no dataset of another project",
            "Write hub://PROJECT/PATH, and @VERSION after it for a tag, branch, commit or run.",
            code="dataset-name",
        )
    return DatasetName(found["project"], "/".join(parts), found["version"] or "")
