"""Kernels of a project: listed, added, and the locked runtime that they are started in, built on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, UserError
from lockgate.hub.directory import create_hub, private_hub_root
from lockgate.hub.reaching.address import LocalHub, address
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.kernel import (
    KernelFile,
    kernel_changes,
    kernel_name,
    kernel_path,
    propose_kernel,
    read_kernel,
)
from lockgate.project.manifest import parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE, Runtime
from lockgate.project.snapshot import CommitSource, Source, WorktreeSource


class Kernel(msgspec.Struct, frozen=True):
    """A kernel as a list shows it."""

    name: str
    display_name: str
    language: str


class Building(msgspec.Struct, frozen=True):
    """What is told while a runtime is made ready."""

    words: str


class Ready(msgspec.Struct, frozen=True):
    """A runtime that is built."""

    digest: str
    bin: str
    """The folder that goes first on a kernel's PATH."""
    was_there: bool


class Added(msgspec.Struct, frozen=True):
    """A kernel that was written."""

    name: str
    path: str


def list_kernels(root: Path) -> tuple[Kernel, ...]:
    """Return the kernels of a work tree by name. Raises `UserError` (`kernel-invalid`)."""
    found = []
    for file in sorted((root / "kernels").glob("*/kernel.json")):
        kernel = read_kernel(file.read_bytes(), file.relative_to(root).as_posix())
        found.append(Kernel(file.parent.name, kernel.display_name or file.parent.name, kernel.language))
    return tuple(found)


def add_kernel(root: Path, name: str, language: str, display_name: str | None = None) -> Added:
    """Write a kernel.json that starts `language` in the project's runtime.

    Raises `UserError`: `kernel-name`, `kernel-exists`.
    """
    path = kernel_path(name)
    file = root / path
    if file.exists():
        raise UserError(
            f"the kernel {name} is there already: {path}",
            "Edit that file, or take another name.",
            code="kernel-exists",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = display_name or f"{root.name} ({'Python' if language == 'python' else language})"
    file.write_text(propose_kernel(language, shown), "utf-8")
    return Added(name, path)


def read_kernel_of(root: Path, name: str) -> KernelFile:
    """Return a kernel of a work tree.

    Raises `UserError`: `kernel-name`, `kernel-unknown`, `kernel-invalid`.
    """
    path = kernel_path(name)
    try:
        content = (root / path).read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"the project has no kernel {name}",
            "See what it has: lockgate kernel list",
            code="kernel-unknown",
        ) from None
    return read_kernel(content, path)


def build_runtime(root: Path, kernel: KernelFile, tell: Callable[[Building], None]) -> Ready:
    """Return the runtime of a work tree as it is now, locked and built where that is still to do.

    A kernel in Python gets what a notebook takes beside the project's packages. `tell` is called before what
    may take long. Raises what `Runtimes.locked` and `Runtimes.build` raise.
    """
    source = WorktreeSource(root)
    runtimes = Runtimes(_folder(root))
    declared, has_notebooks = _declared(source)
    paths, needs = source.files(), has_notebooks or kernel.is_python
    try:
        quiet = Runtimes(runtimes.folder, may_lock=False)
        locked = quiet.locked(paths, declared, lambda path: source.read([path]).get(path), needs)
    except UserError as error:
        if error.code != "runtime-unlocked":
            raise
        tell(Building("locking the requirements"))
        locked = runtimes.locked(paths, declared, lambda path: source.read([path]).get(path), needs)
    was_there = runtimes.ready(locked.digest) is not None
    if not was_there:
        count = len(locked.packages)
        tell(Building(f"building the runtime: Python {locked.python}, {count} packages"))
        runtimes.build(locked.digest, locked.text, locked.kind, Path(locked.interpreter))
    return Ready(locked.digest, os.fspath(runtimes.bin_path(locked.digest)), was_there)


def kernel_notes(root: Path, before: str, after: str) -> tuple[str, ...]:
    """Return in words how the kernels differ between two commits of a repository: what a sync tells."""

    def kernels(commit: str) -> dict[str, bytes]:
        source = CommitSource(root, commit)
        return source.read([path for path in source.files() if kernel_name(path) is not None])

    return kernel_changes(kernels(before), kernels(after))


def _declared(source: Source) -> tuple[Runtime | None, bool]:
    content = source.read([MANIFEST_FILE]).get(MANIFEST_FILE)
    if content is None:
        return None, False
    manifest = parse_manifest(content.decode("utf-8", "replace"))
    return manifest.runtime, any(stage.notebook is not None for stage in manifest.stages)


def _folder(root: Path) -> Path:
    """Runtimes are shared with the runs of a hub on this machine; else they lie in one's own hub."""
    try:
        found = address(None, None, root)
    except LockgateError:
        found = None
    if isinstance(found, LocalHub) and os.access(found.hub.runtimes, os.W_OK):
        return found.hub.runtimes
    hub, _ = create_hub(private_hub_root())
    return hub.runtimes
