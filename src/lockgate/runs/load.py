"""A project at one moment, ready to be planned: its pipeline with all filled in, its inputs, its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from lockgate.data.digest import Listed
from lockgate.data.pointer import parse_pointer
from lockgate.errors import UserError
from lockgate.git.listing import LINK, Listing
from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE, Pipeline
from lockgate.project.snapshot import Source
from lockgate.runs.checked import PREFIX, is_check, with_checks
from lockgate.runs.inputs import Inputs, Where
from lockgate.runs.lockfile import read_lock
from lockgate.runs.plan import complete
from lockgate.runs.pointed import Pointed, pointed_by, pointer_paths, stored_digest, with_pointed
from lockgate.runs.record import StageRecord

DVC_FILE = "dvc.yaml"


class Bytes(Protocol):
    """What is at hand of the bytes that pointers stand for."""

    def listing(self, md5: str) -> Sequence[Listed] | None:
        """Return the files of a stored folder (`….dir`); None: they are not known here."""

    def read(self, md5: str) -> bytes | None:
        """Return an object's bytes; None: they are not here."""


class NoBytes:
    """Nothing is at hand."""

    def listing(self, md5: str) -> Sequence[Listed] | None:
        return None

    def read(self, md5: str) -> bytes | None:
        return None


class Loaded(msgspec.Struct, frozen=True):
    pipeline: Pipeline
    files: Listing
    inputs: Inputs
    lock: Mapping[str, StageRecord]
    pointed: Mapping[str, Pointed] = {}
    """What the snapshot's pointers stand for, by path."""


def manifest_path(files: Listing) -> str | None:
    """Return the file that makes this a project, or None."""
    return next((path for path in (MANIFEST_FILE, DVC_FILE) if path in files), None)


def pointed_in(source: Source) -> dict[str, Pointed]:
    """Return what the pointers among a project's files stand for. Raises `UserError` (`pointer-invalid`)."""
    paths = pointer_paths(source.files())
    contents = source.read(paths) if paths else {}
    return pointed_by(parse_pointer(_decoded(text, path), path) for path, text in contents.items())


def files_seen(source: Source) -> Listing:
    """Return a project's files as its stages see them: data in the place of pointers. Raises as above."""
    return with_pointed(source.files(), pointed_in(source))


def load(source: Source, overrides: Mapping[str, str], project: str, stored: Bytes | None = None) -> Loaded:
    """Read and check everything a plan needs; `stored`: the bytes at hand that pointers stand for.

    Raises `UserError`: `no-manifest`, and whatever is wrong in the project's files.
    """
    at_hand = stored if stored is not None else NoBytes()
    files = source.files()
    path = manifest_path(files)
    if path is None:
        raise UserError(
            f"there is no {MANIFEST_FILE} here",
            "Let Lockgate propose one: lockgate init",
            code="no-manifest",
        )
    early = source.read([path, LOCK_FILE])
    settings = _parse(path, _decoded(early[path], path), source)
    manifest = settings
    if path == MANIFEST_FILE and not settings.stages and DVC_FILE in files:
        manifest = _with_stages_of_dvc(settings, source)
    declared = build_pipeline(manifest, overrides, project)
    notebooks = list(dict.fromkeys(stage.notebook for stage in declared.stages if stage.notebook))
    params_files = list(dict.fromkeys(file for stage in declared.stages for file in stage.params_files))
    links = [name for name, entry in files.items() if entry.mode == LINK]
    late = source.read([*notebooks, *params_files, *links]) if notebooks or params_files or links else {}
    pointed = pointed_in(source)
    for name in (*notebooks, *params_files):
        if name not in late and name in pointed:
            content = at_hand.read(stored_digest(pointed[name].entry) or "")
            late.update({name: content} if content is not None else {})
    pipeline = complete(
        declared,
        _notebook_parameters(notebooks, late),
        {file: _flat(file, late) for file in params_files},
        _notebook_kernels(notebooks, late, files),
    )
    pipeline = with_checks(
        pipeline,
        with_pointed(files, pointed),
        lambda pattern: settings.error(("checks", pattern), "", "", code="").message,
    )
    targets = {name: late[name].decode("utf-8", "surrogateescape") for name in links if name in late}
    return Loaded(
        pipeline=pipeline,
        files=files,
        inputs=Inputs(pipeline, files, targets, _where(manifest, settings), pointed, at_hand.listing),
        lock=read_lock(early[LOCK_FILE]) if LOCK_FILE in early else {},
        pointed=pointed,
    )


def _parse(path: str, text: str, source: Source) -> Manifest:
    if path == MANIFEST_FILE:
        return parse_manifest(text, path)
    from lockgate.project.dvc import parse_dvc, variable_files  # noqa: PLC0415  (YAML: only for dvc.yaml)

    found = source.read(variable_files(text))
    return parse_dvc(text, {name: _decoded(content, name) for name, content in found.items()})


def _notebook_parameters(paths: Sequence[str], contents: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    if not paths:
        return {}
    from lockgate.project.notebook import parameter_names, read_notebook  # noqa: PLC0415  (ast)

    return {path: parameter_names(read_notebook(contents[path], path)) for path in paths if path in contents}


def _notebook_kernels(paths: Sequence[str], contents: Mapping[str, bytes], files: Listing) -> dict[str, str]:
    """Return the folder of its kernel for each notebook that names one of the project."""
    if not any(name.startswith("kernels/") for name in files):
        return {}
    from lockgate.project.notebook import read_notebook  # noqa: PLC0415  (ast)

    named = {path: read_notebook(contents[path], path).kernel for path in paths if path in contents}
    return {
        path: f"kernels/{kernel}"
        for path, kernel in named.items()
        if f"kernels/{kernel}/kernel.json" in files
    }


def _flat(path: str, contents: Mapping[str, bytes]) -> dict[str, str | int | float | bool]:
    if path not in contents:
        return {}
    from lockgate.project.parameters import flat_parameters  # noqa: PLC0415  (YAML)

    return flat_parameters(_decoded(contents[path], path), path)


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text", f"Save {path} as UTF-8.", code="not-utf8") from None


def _with_stages_of_dvc(settings: Manifest, source: Source) -> Manifest:
    """Return the pipeline of the `dvc.yaml` beside a `lockgate.toml` that declares no stage of its own."""
    stages = _parse(DVC_FILE, _decoded(source.read([DVC_FILE])[DVC_FILE], DVC_FILE), source)
    return replace(
        settings,
        file=stages.file,
        text=stages.text,
        stages=stages.stages,
        has_placeholders=stages.has_placeholders,
    )


def _where(manifest: Manifest, settings: Manifest) -> Where:
    def where(group: str, key: str) -> str:
        if is_check(group):
            return settings.error(("checks", group.removeprefix(PREFIX), key), "", "", code="").message
        return manifest.error(("stages", group, key), "", "", code="").message

    return where
