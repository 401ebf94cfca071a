"""The file a result is given away in: a zip with a list of what is in it, written whole, read with distrust.

What is large is stored as it is, not packed: so nothing can be larger than the file itself, and the few that
are packed are bounded.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.runs.crate.contents import MANIFEST, METADATA, CrateFile, LeftOut
from lockgate.runs.runid import is_run_id

FORMAT = 1
PIECE_BYTES = 1 << 20
#: What is packed, and the manifest, are read whole: so much of each, and so much together.
_PACKED_LIMIT_BYTES, _PACKED_TOTAL_BYTES = 64 << 20, 256 << 20
_ENTRY_LIMIT = 2_000_000
_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_OID = re.compile(r"[0-9a-f]{40}")


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object of the store that is in the file."""

    md5: str
    path: str
    """Of the entry that holds it."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`lockgate-crate.json`."""

    lockgate_crate: int
    version: str
    project: str
    run: str
    """The run whose results are given."""
    branch: str
    """The one to begin with."""
    chain: str
    """The newest entry of the activity chain."""
    is_whole_project: bool
    files: tuple[CrateFile, ...]
    objects: tuple[Kept, ...]
    left_out: tuple[LeftOut, ...] = ()


class CrateWriter:
    """Adds one file after the other; what is in it is told by `files`."""

    def __init__(self, target: IO[bytes], at: tuple[int, int, int, int, int, int]) -> None:
        """`at`: the date of every entry, so that the same result gives the same list."""
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._at = at
        self.files: list[CrateFile] = []
        self._paths: set[str] = set()

    def has(self, path: str) -> bool:
        return path in self._paths

    def add(
        self, path: str, name: str, pieces: Iterable[bytes], *, media_type: str | None = None
    ) -> CrateFile:
        """Write one file as it is, and return it with its digests."""
        info = zipfile.ZipInfo(path, self._at)
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as entry:
            for piece in pieces:
                entry.write(piece)
                md5.update(piece)
                sha256.update(piece)
                size += len(piece)
        written = CrateFile(
            path=path,
            name=name,
            size_bytes=size,
            sha256=sha256.hexdigest(),
            md5=md5.hexdigest(),
            media_type=media_type,
        )
        self.files.append(written)
        self._paths.add(path)
        return written

    def close(self, manifest: bytes, metadata: bytes) -> None:
        for path, content in ((MANIFEST, manifest), (METADATA, metadata)):
            info = zipfile.ZipInfo(path, self._at)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            self._zip.writestr(info, content)
        self._zip.close()


class CrateReader:
    """Reads a file that anybody may have made. Nothing is written; what does not fit is refused in words."""

    def __init__(self, place: Path) -> None:
        """Raises `UserError`: `crate-missing`, `crate-damaged`, `crate-format`."""
        self.place = place
        try:
            self.size_bytes = place.stat().st_size
            self._zip = zipfile.ZipFile(place)
        except (FileNotFoundError, IsADirectoryError):
            raise UserError(
                f"there is no file {place}",
                "Name the file that `lockgate export` wrote.",
                code="crate-missing",
            ) from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise self.damaged(f"it is no whole zip file ({error})") from None
        try:
            self._entries = self._checked()
            self.manifest = self._manifest()
            self._compare()
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        self._zip.close()

    def damaged(self, why: str) -> UserError:
        return UserError(
            f"{self.place.name} is not taken: {why}",
            "Ask for the file again, and compare its digest with the sender's: sha256sum FILE",
            code="crate-damaged",
        )

    def read(self, path: str) -> bytes:
        """Return a small file's content. Raises `UserError` (`crate-damaged`)."""
        file = self._told.get(path)
        if file is None or file.size_bytes > _PACKED_LIMIT_BYTES:
            raise self.damaged(f"{path} is missing or too large")
        return b"".join(self.pieces(path))

    def has(self, path: str) -> bool:
        return path in self._told

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file's content. Raises `UserError` (`crate-damaged`), at its end if it was another."""
        file = self._told.get(path)
        if file is None:
            raise self.damaged(f"{path} is missing")
        digest = hashlib.sha256()
        for piece in self._raw(path):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != file.sha256:
            raise self.damaged(f"{path} is not what the list of the file says")

    def _raw(self, path: str) -> Iterator[bytes]:
        entry = self._entries[path]
        left = entry.file_size
        try:
            with self._zip.open(entry) as stream:
                while piece := stream.read(PIECE_BYTES):
                    left -= len(piece)
                    if left < 0:
                        raise self.damaged(f"{path} is larger than it says")
                    yield piece
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise self.damaged(f"{path} cannot be read ({error})") from None
        except OSError as error:
            raise OutsideError(
                f"{self.place} cannot be read: {error.strerror or error}", "Look at the disk.", code="system"
            ) from error
        if left:
            raise self.damaged(f"{path} is shorter than it says")

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        infos = self._zip.infolist()
        if len(infos) > _ENTRY_LIMIT:
            raise self.damaged(f"it has {len(infos)} entries")
        packed = stored = 0
        for info in infos:
            self._check_name(info)
            if info.filename in entries:
                raise self.damaged(f"{info.filename} is in it twice")
            if info.compress_type == zipfile.ZIP_STORED:
                if info.file_size != info.compress_size:
                    raise self.damaged(f"{info.filename} is not as large as it says")
            elif info.compress_type != zipfile.ZIP_DEFLATED or info.filename not in (MANIFEST, METADATA):
                raise self.damaged(f"{info.filename} is packed, which only its lists may be")
            else:
                packed += info.file_size
                if info.file_size > _PACKED_LIMIT_BYTES:
                    raise self.damaged(f"{info.filename} would unpack to {info.file_size} bytes")
            stored += info.compress_size
            entries[info.filename] = info
        if packed > _PACKED_TOTAL_BYTES or stored > self.size_bytes:
            raise self.damaged("its entries are larger than the file itself")
        return entries

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        path = PurePosixPath(name)
        is_clean = name == path.as_posix() and not path.is_absolute() and ".." not in path.parts
        if (
            not is_clean
            or not path.parts
            or "\\" in name
            or "\0" in info.orig_filename
            or ":" in path.parts[0]
        ):
            raise self.damaged(f"the name {name!r} leads out of it, or is none")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise self.damaged(f"{name} is a link or a device, not a file")
        if info.flag_bits & 0x1:
            raise self.damaged(f"{name} is encrypted")

    def _manifest(self) -> Manifest:
        if MANIFEST not in self._entries:
            raise UserError(
                f"{self.place.name} was not written by `lockgate export`: it has no {MANIFEST}",
                "Any RO-Crate reader opens other crates.",
                code="crate-format",
            )
        content = b"".join(self._raw(MANIFEST))
        try:
            found = msgspec.json.decode(content)
            number = found.get("lockgate_crate") if isinstance(found, dict) else None
            if number != FORMAT:
                raise UserError(
                    f"{self.place.name} has format {number}; this Lockgate knows format {FORMAT}",
                    "Update Lockgate: pip install --upgrade lockgate",
                    code="crate-format",
                )
            manifest = msgspec.convert(found, Manifest)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.damaged(f"its {MANIFEST} cannot be read ({error})") from None
        for kept in manifest.objects:
            if not _MD5.fullmatch(kept.md5):
                raise self.damaged(f"{kept.md5[:40]!r} is no digest")
        if not _OID.fullmatch(manifest.chain) or not is_run_id(manifest.run):
            raise self.damaged("it names no entry of the chain, or no run")
        for left in manifest.left_out:
            if not (
                _MD5.fullmatch(left.md5) and left.name.isprintable() and (left.remote or "").isprintable()
            ):
                raise self.damaged("what it says is left out cannot be")
        return manifest

    def _compare(self) -> None:
        self._told = {file.path: file for file in self.manifest.files}
        there = self._entries.keys() - {MANIFEST, METADATA}
        for path in sorted(self._told.keys() ^ there)[:1]:
            raise self.damaged(f"{path} is {'not in it' if path in self._told else 'in no list of it'}")
        for path, file in self._told.items():
            if self._entries[path].file_size != file.size_bytes:
                raise self.damaged(f"{path} is not as large as its list says")
        for kept in self.manifest.objects:
            if kept.path not in self._told:
                raise self.damaged(f"{kept.path} is missing")
