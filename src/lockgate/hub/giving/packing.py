"""Packing a crate: what runs were made from and what they made, each once, and what of it is left out."""

from __future__ import annotations

import contextlib
import mimetypes
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain as chain_pieces
from pathlib import Path
from urllib.parse import quote

from lockgate import __version__
from lockgate.data.digest import parse_listing
from lockgate.data.imported import origin_of
from lockgate.data.output import Output, Pointer
from lockgate.data.pointer import SUFFIX, parse_pointer
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.contents import read_many
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER
from lockgate.git.program import git
from lockgate.hub.giving.bundle import write_bundle
from lockgate.hub.giving.crate_file import FORMAT, PIECE_BYTES, CrateWriter, Kept, Manifest
from lockgate.hub.giving.export_origin import Origin
from lockgate.hub.giving.told import Told
from lockgate.hub.worktree.history import Pinned
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE
from lockgate.project.snapshot import CommitSource
from lockgate.runs.crate.about import CITATION, about_project, licence_file
from lockgate.runs.crate.contents import (
    ARTIFACTS,
    BUNDLE,
    DATA,
    OBJECTS,
    PROVENANCE,
    PUBLIC_KEY,
    README,
    RUNTIME,
    SOURCES,
    Crate,
    LeftOut,
    Taken,
    in_order,
    sources_of,
)
from lockgate.runs.crate.description import describe
from lockgate.runs.crate.prov import provenance
from lockgate.runs.crate.readme import readme
from lockgate.runs.lockfile import read_lock
from lockgate.runs.record import Artifact
from lockgate.runs.runid import short

#: A larger source stands in the bundle alone.
SOURCE_LIMIT_BYTES = 10 << 20


class Packer:
    """Puts into a crate what belongs there, and remembers what."""

    def __init__(self, origin: Origin, told: Told, writer: CrateWriter, *, is_pointers: bool) -> None:
        self._origin, self._told, self._writer = origin, told, writer
        self._is_pointers = is_pointers
        self._objects: dict[str, Kept] = {}
        self._left_out: dict[str, LeftOut] = {}
        self._source = CommitSource(origin.repository, told.main.result)
        self._files = self._source.files()
        lock = self._read(LOCK_FILE)
        records = read_lock(lock) if lock else {}
        own = {record.stage: record for record in told.main.records}
        self._stages = in_order(records | own)
        self._remote = self._remote_of()

    def pack(self, refs: Mapping[str, str]) -> None:
        """Put all in but the manifest and the metadata; `refs`: those of the bundle, with their commits.

        Raises `OutsideError` (`store-damaged`, `git-failed`) and what the objects and the writer raise.
        """
        with tempfile.TemporaryDirectory(prefix="lockgate-export-") as folder:
            bundle = Path(folder) / BUNDLE
            write_bundle(self._origin.repository, refs, bundle)
            self._writer.add(BUNDLE, "All commits and the activity chain", _pieces(bundle),
                             media_type="application/x-git-bundle")  # fmt: skip
        self._add_text(PUBLIC_KEY, "Public key of the hub", self._origin.public_key.encode() + b"\n")
        for path in (MANIFEST_FILE, "dvc.yaml", LOCK_FILE, CITATION, self._licence()):
            if path is not None and (content := self._read(path)) is not None:
                self._add_text(path, path, content)
        runtime = next(read_many(self._origin.repository, [f"{self._told.main_entry}:{RUNTIME}"]), None)
        if runtime is not None:
            self._add_text(RUNTIME, "The locked software", runtime.content)
        self._pack_sources()
        self._origin.objects.expect(self._wanted())
        for stage in self._stages:
            for artifact in stage.artifacts:
                self._pack_artifact(artifact)
        self._pack_data()
        self._pack_others()
        self._add_text(README, "What this is", readme(self._crate()), "text/markdown")
        self._add_text(PROVENANCE, "The record as W3C PROV", provenance(self._crate()), "application/json")

    def manifest(self, branch: str, *, is_whole_project: bool) -> Manifest:
        """Return what was packed, for the import; `branch`: the one to begin with."""
        return Manifest(
            lockgate_crate=FORMAT,
            version=__version__,
            project=self._origin.project,
            run=self._told.main.id,
            branch=branch,
            chain=self._told.tip,
            is_whole_project=is_whole_project,
            files=tuple(self._writer.files),
            objects=tuple(self._objects.values()),
            left_out=tuple(self._left_out.values()),
        )

    def metadata(self) -> bytes:
        """Return the crate's `ro-crate-metadata.json`."""
        return describe(self._crate())

    def _crate(self) -> Crate:
        main = self._told.main
        words = f"Results of run {short(main.id)} of {self._origin.project}, with all they were made from"
        return Crate(
            project=self._origin.project,
            about=about_project(self._origin.project, words, self._read(CITATION), self._licence()),
            hub=Pinned(self._origin.public_key, False).fingerprint,
            version=__version__,
            main=main,
            stages=self._stages,
            runs=self._told.runs,
            verdicts=self._told.verdicts,
            files=tuple(self._writer.files),
            left_out=tuple(self._left_out.values()),
            taken=tuple(_taken(self._origin.repository, main.result)),
            trees=self._trees(),
        )

    def _trees(self) -> frozenset[str]:
        every = [*self._stages, *(record for run in self._told.runs for record in run.records)]
        ids = sorted({identity for _, identity in sources_of(every) if ":" not in identity})
        asked = "".join(f"{oid}\n" for oid in ids).encode()
        said = git(self._origin.repository, "cat-file", "--batch-check", stdin=asked).decode().splitlines()
        return frozenset(line.split()[0] for line in said if line.split()[1:2] == ["tree"])

    def _read(self, path: str) -> bytes | None:
        return self._source.read([path]).get(path)

    def _licence(self) -> str | None:
        return licence_file([path for path in self._files if "/" not in path])

    def _remote_of(self) -> str | None:
        content = self._read(MANIFEST_FILE)
        if content is None:
            return None
        try:
            return parse_manifest(content.decode("utf-8", "replace")).data.remote
        except UserError:
            return None

    def _add_text(self, path: str, name: str, content: bytes, media_type: str = "text/plain") -> None:
        self._writer.add(path, name, [content], media_type=media_type)

    def _pack_sources(self) -> None:
        paths = dict.fromkeys(path for path, _ in sources_of(self._stages))
        entries = [(path, self._files[path]) for path in paths if path in self._files]
        for path, entry in entries:
            if entry.mode in (FILE, EXECUTABLE) and self._size(entry.id) <= SOURCE_LIMIT_BYTES:
                self._add_blob(SOURCES + path, path, entry.id)

    def _size(self, oid: str) -> int:
        return int(git(self._origin.repository, "cat-file", "-s", oid))

    def _add_blob(self, path: str, name: str, oid: str) -> None:
        content = git(self._origin.repository, "cat-file", "blob", oid)
        self._writer.add(path, name, [content], media_type=_media_type(name))

    def _pack_artifact(self, artifact: Artifact) -> None:
        if artifact.git is None:
            self._pack_object(artifact.md5, artifact.path, artifact.size_bytes, ARTIFACTS, is_made=True)
        elif artifact.mode == FOLDER:
            for path, entry in CommitSource(self._origin.repository, artifact.git).files().items():
                if entry.mode in (FILE, EXECUTABLE):
                    name = f"{artifact.path}/{path}"
                    self._add_blob(ARTIFACTS + name, name, entry.id)
        elif artifact.mode in (FILE, EXECUTABLE):
            self._add_blob(ARTIFACTS + artifact.path, artifact.path, artifact.git)

    def _pack_data(self) -> None:
        for output in _outputs(self._origin.repository, self._told.main.result):
            if output.md5 is not None:
                self._pack_object(output.md5, output.path, output.size_bytes, DATA)

    def _pack_others(self) -> None:
        """Pack what other runs and branches name, without a readable name: paths repeat there."""
        for run in self._told.runs:
            for record in run.records:
                for artifact in record.artifacts:
                    if artifact.git is None:
                        self._pack_object(
                            artifact.md5, artifact.path, artifact.size_bytes, None, is_made=True
                        )
            if run.id != self._told.main.id:
                for output in _outputs(self._origin.repository, run.snapshot):
                    if output.md5 is not None:
                        self._pack_object(output.md5, output.path, output.size_bytes, None)

    def _wanted(self) -> list[str]:
        """Return the objects that are packed, in their order, but for the files of folders."""
        records = [*self._stages, *(record for run in self._told.runs for record in run.records)]
        made = [each.md5 for record in records for each in record.artifacts if each.git is None]
        commits = dict.fromkeys((self._told.main.result, *(run.snapshot for run in self._told.runs)))
        data = [each.md5 for commit in commits for each in _outputs(self._origin.repository, commit)]
        own = len([each for stage in self._stages for each in stage.artifacts if each.git is None])
        every = dict.fromkeys(md5 for md5 in (*made[:own], *data, *made[own:]) if md5 is not None)
        return [md5 for md5 in every if md5.endswith(".dir") or not self._is_pointers]

    def _pack_object(
        self, md5: str, name: str, size_bytes: int | None, folder: str | None, *, is_made: bool = False
    ) -> None:
        """Pack an object of the store, of a folder its files too; each once."""
        if md5 in self._objects or md5 in self._left_out:
            return
        if not md5.endswith(".dir"):
            if self._is_pointers:
                self._leave_out(md5, name, size_bytes)
            else:
                self._copy(md5, self._place(folder, name, md5), name, size_bytes, is_made=is_made)
            return
        content: list[bytes] = []
        place = self._place(None, name, md5)
        if not self._copy(md5, place, f"{name}/", size_bytes, is_made=is_made, heard=content.append):
            return
        files = parse_listing(b"".join(content))
        if not self._is_pointers:
            self._origin.objects.expect(dict.fromkeys(listed.md5 for listed in files))
        for listed in files:
            inside = f"{name}/{listed.relpath}"
            self._pack_object(listed.md5, inside, None, folder, is_made=is_made)

    def _place(self, folder: str | None, name: str, md5: str) -> str:
        named = f"{folder}{name}" if folder is not None else None
        if named is None or self._writer.has(named) or not _is_plain(name):
            return f"{OBJECTS}{md5[:2]}/{md5[2:]}"
        return named

    def _copy(
        self,
        md5: str,
        path: str,
        name: str,
        size_bytes: int | None,
        *,
        is_made: bool,
        heard: Callable[[bytes], object] = lambda piece: None,
    ) -> bool:
        pieces = self._origin.objects.pieces(md5)
        try:
            first = next(pieces, b"")
        except LockgateError as error:
            is_gone = error.code in ("store-missing", "artifact-unknown")
            if is_gone or (error.code == "hub-unreachable" and not is_made):
                self._leave_out(md5, name, size_bytes)
                return False
            raise
        media_type = "application/json" if md5.endswith(".dir") else _media_type(name)
        written = self._writer.add(
            path, name, _heard(chain_pieces([first], pieces), heard), media_type=media_type
        )
        if written.md5 != md5.removesuffix(".dir"):
            raise OutsideError(
                f"the hub's store is damaged: the bytes of {name} are not those of {md5}",
                "Look which objects are: lockgate hub doctor; then run the stage again.",
                code="store-damaged",
            )
        self._objects[md5] = Kept(md5, path)
        return True

    def _leave_out(self, md5: str, name: str, size_bytes: int | None) -> None:
        self._left_out[md5] = LeftOut(md5=md5, name=name, size_bytes=size_bytes, remote=self._remote)


def _outputs(repository: Path, commit: str) -> Iterator[Output]:
    """Yield what the pointers of a commit stand for."""
    for pointer in _pointers(repository, commit):
        yield from pointer.outputs


def _taken(repository: Path, commit: str) -> Iterator[Taken]:
    """Yield what a commit's data was imported from."""
    for pointer in _pointers(repository, commit):
        origin = origin_of(pointer)
        for output in pointer.outputs if origin is not None else ():
            if origin is not None and output.md5 is not None:
                words = origin.words
                identity = quote(words, safe=":/@" if words.startswith("hub://") else "")
                yield Taken(
                    path=output.path,
                    md5=output.md5,
                    source=words,
                    identity=identity,
                    commit=origin.commit,
                )


def _pointers(repository: Path, commit: str) -> Iterator[Pointer]:
    """Yield the pointers of a commit; one that cannot be read stands for nothing."""
    source = CommitSource(repository, commit)
    paths = [path for path in source.files() if path.endswith(SUFFIX) and path != SUFFIX]
    for path, content in source.read(paths).items():
        with contextlib.suppress(UserError):
            yield parse_pointer(content.decode("utf-8", "replace"), path)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _heard(pieces: Iterable[bytes], heard: Callable[[bytes], object]) -> Iterator[bytes]:
    for piece in pieces:
        heard(piece)
        yield piece


def _is_plain(name: str) -> bool:
    """Return whether a name can stand in a file that any system unpacks."""
    return name.isprintable() and "\\" not in name and ":" not in name


def _media_type(name: str) -> str | None:
    return mimetypes.guess_type(name)[0]
