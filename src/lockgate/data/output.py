"""What a `.dvc` file says: files and folders, and where they came from."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from lockgate.data.digest import Listed, folder_listing, md5_of
from lockgate.errors import UserError

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class Output(msgspec.Struct, frozen=True):
    """One file or folder that a pointer stands for."""

    path: str
    """Relative to the repository, with `/`; the pointer's `wdir` is resolved."""
    md5: str | None
    """Of the bytes; of the listing and ending in `.dir` for a folder. None: not known yet."""
    size_bytes: int | None = None
    file_count: int | None = None
    """For a folder."""
    is_legacy: bool = False
    """The md5 is DVC 2's: of text with its line ends made `\\n` (`md5-dos2unix`)."""
    is_cached: bool = True
    """False: the bytes stay in git, the pointer only describes them (`cache: false`)."""
    is_executable: bool = False
    desc: str | None = None
    type: str | None = None
    labels: tuple[str, ...] = ()
    meta: Plain = None
    remote: str | None = None
    """The only remote it may go to; None: any."""
    push: bool = True

    @property
    def is_folder(self) -> bool:
        return self.md5 is not None and self.md5.endswith(".dir")


class Pointer(msgspec.Struct, frozen=True):
    """A `.dvc` file."""

    file: str
    """Its own path in the repository."""
    outputs: tuple[Output, ...]
    desc: str | None = None
    meta: Plain = None
    dependencies: tuple[dict[str, Plain], ...] = ()
    """Where an import comes from, as DVC writes it: `path` with `repo`, or with `etag`, `md5`, `size`."""
    is_frozen: bool = False
    md5: str | None = None
    """Of the declaration itself, as DVC keeps it for imports."""


def relative(path: str, folder: str) -> str:
    """Return a repository path as seen from a folder of the repository."""
    return posixpath.relpath("/" + path, "/" + folder)


def listing_digest(rows: object) -> str | None:
    """Return the digest of a folder whose files stand in the pointer itself (DVC's cloud versioning)."""
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and row.get("md5") for row in rows):
        return None
    listed = [Listed(str(row["md5"]), str(row["relpath"])) for row in rows]
    return md5_of(folder_listing(listed)) + ".dir"


def resolve(file: str, wdir: str, path: str) -> str | None:
    """Return the repository path of an output, None if it lies outside."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(file), wdir, path))
    leads_out = place in ("..", ".") or place.startswith(("../", "/")) or posixpath.isabs(path)
    return None if leads_out else place


def invalid(message: str, hint: str) -> UserError:
    return UserError(message, hint, code="pointer-invalid")
