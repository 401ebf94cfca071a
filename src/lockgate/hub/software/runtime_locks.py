"""Locks of runtimes: what a snapshot says of its packages, with every version and hash, resolved by uv."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from lockgate.errors import LockgateError, UserError
from lockgate.git.listing import Entry, blob_id
from lockgate.hub.software import uv
from lockgate.hub.software.pythons import Pythons
from lockgate.hub.software.runtime_folder import disk_told, exclusive, write_whole
from lockgate.project.pipeline import Runtime
from lockgate.project.requirements import decode, gather, index_lines, line_of, needs_lock
from lockgate.project.runtime import (
    DEFAULT_LOCK,
    NOTEBOOK_PACKAGES,
    check_has_notebook,
    lock_header,
    lock_is_current,
    lock_path,
)

Read = Callable[[str], bytes | None]

_NOTEBOOK_INPUT = ".lockgate/notebook-stages.txt"

#: One lock for every platform; of each package the newest version that the Python asked for can use.
_COMPILE = (
    "pip", "compile", "--quiet", "--generate-hashes", "--universal", "--fork-strategy", "fewest",
    "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
)  # fmt: skip
_EXPORT = (
    "export", "--frozen", "--quiet", "--no-emit-workspace", "--no-header", "--no-annotate",
    "--format", "requirements-txt",
)  # fmt: skip


class RuntimeLocks:
    """The locks that were made on one hub, kept in the folder of its runtimes."""

    def __init__(
        self,
        folder: Path,
        pythons: Pythons,
        *,
        may_lock: bool,
        isolated: Callable[[Sequence[str]], list[str]],
    ) -> None:
        """`may_lock` False: what would have to be locked first is an error instead, `runtime-unlocked`.

        `isolated` gives the command that runs another where what packages may not see is hidden.
        """
        self._folder = folder
        self._pythons = pythons
        self._may_lock = may_lock
        self._isolated = isolated

    def of_snapshot(
        self, runtime: Runtime, paths: Mapping[str, Entry], read: Read, minor: str, has_notebooks: bool
    ) -> tuple[str, str | None]:
        """Return the lock of a snapshot, empty for plain Python, and the file it belongs in where that is not
        in the snapshot yet.

        `minor`: the version of Python, as `3.11`. Raises what `gather`, `lock` and `export` raise, and
        `UserError` (`runtime-lacks-notebook`).
        """
        path = runtime.path
        if path is not None and runtime.kind != "requirements":
            if runtime.kind == "uv.lock":
                text = self.export(_project_files(path, paths, read), path)
            else:
                text = decode(path, read(path) or b"")
            if has_notebooks:
                check_has_notebook(text, path)
            return text, None
        files = gather(path, read) if path is not None else {}
        if path is not None and not needs_lock(decode(path, files[path])):
            text = decode(path, files[path])
            if has_notebooks:
                check_has_notebook(text, path)
            return text, None
        if path is None and not has_notebooks:
            return "", None
        extra = NOTEBOOK_PACKAGES if has_notebooks else ()
        inputs = {name: blob_id(content) for name, content in files.items()}
        lock_file = lock_path(path) if path is not None else DEFAULT_LOCK
        old = read(lock_file) if lock_file in paths else None
        if old is not None and lock_is_current(old.decode("utf-8", "replace"), inputs, minor, extra):
            return old.decode("utf-8", "replace"), None
        previous = old.decode("utf-8", "replace") if old is not None else None
        return self.lock(files, path or "", minor, extra, previous), lock_file

    def lock(
        self,
        requirements: Mapping[str, bytes],
        main: str,
        python: str | None,
        extra: tuple[str, ...] = (),
        previous: str | None = None,
    ) -> str:
        """Return the lock of requirements files: every package with version and hashes, for every platform.

        The same files, Python and extra packages give the same lock to everybody, for as long as they stay.
        `previous`, an older lock, keeps its versions where the requirements still allow them. Raises
        `UserError` (`requirements-unresolvable`), `OutsideError` (`index-unreachable`, `disk-full`).
        """
        interpreter, full = self._pythons.find(python)
        minor = python or ".".join(full.split(".")[:2])
        header = lock_header({name: blob_id(text) for name, text in requirements.items()}, minor, extra)
        kept = self._folder / "locks" / f"{sha256(header.encode() + main.encode()).hexdigest()}.lock"
        if kept.exists():
            return kept.read_text("utf-8")
        self._require_locking(main)
        with disk_told("locking the runtime"), exclusive(kept.with_suffix(".guard")):
            if kept.exists():
                return kept.read_text("utf-8")
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                body = _compile(
                    Path(scratch),
                    dict(requirements),
                    main,
                    minor,
                    interpreter,
                    extra,
                    previous,
                    isolated=self._isolated,
                )
            own = "".join(f"{line}\n" for name in requirements for line in _indexes(requirements[name]))
            text = header + own + body
            write_whole(kept, text.encode())
            return text

    def export(self, files: Mapping[str, bytes], main: str) -> str:
        """Return a `uv.lock` as hashed requirements, the project itself and its default groups included as
        `uv sync` takes them, but the project's own code left out: a stage finds it in its workspace.

        Raises `UserError` (`runtime-unreadable`).
        """
        key = sha256(b"".join(b"%s %s\n" % (n.encode(), blob_id(files[n]).encode()) for n in sorted(files)))
        kept = self._folder / "locks" / f"{key.hexdigest()}.export"
        if kept.exists():
            return kept.read_text("utf-8")
        self._require_locking(main)
        with disk_told("reading uv.lock"), exclusive(kept.with_suffix(".guard")):
            if kept.exists():
                return kept.read_text("utf-8")
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                _write_files(Path(scratch), files)
                code, output, said = uv.attempt(
                    _EXPORT,
                    (Path(scratch) / main).parent,
                )
            if code != 0:
                raise uv.failure(
                    said, f"reading {main}", "Run uv lock, and push again.", "runtime-unreadable"
                )
            registries = sorted(set(re.findall(r'registry = "(https?://[^"]+)"', files[main].decode())))
            own = "".join(f"--extra-index-url {address}\n" for address in registries)
            write_whole(kept, (own + output).encode())
            return own + output

    def _require_locking(self, main: str) -> None:
        if not self._may_lock:
            raise UserError(
                f"{main or 'the runtime'} is not locked yet",
                "Run it once: lockgate run",
                code="runtime-unlocked",
            )


def _compile(
    scratch: Path,
    requirements: dict[str, bytes],
    main: str,
    python: str,
    interpreter: Path,
    extra: tuple[str, ...],
    previous: str | None,
    *,
    isolated: Callable[[Sequence[str]], list[str]],
) -> str:
    sources = [main] if main else []
    _write_files(scratch, requirements)
    if extra:
        _write_files(scratch, {_NOTEBOOK_INPUT: "".join(f"{name}\n" for name in extra).encode()})
        sources.append(_NOTEBOOK_INPUT)
    output = ".lockgate/requirements.lock"
    _write_files(scratch, {output: (previous or "").encode()})
    code, _, said = uv.attempt(
        [*_COMPILE, "--python-version", python, "--python", os.fspath(interpreter), "-o", output, *sources],
        scratch,
        isolated=isolated,
    )
    if code != 0:
        raise _unresolvable(said, requirements)
    return (scratch / output).read_text("utf-8")


def _unresolvable(said: str, requirements: dict[str, bytes]) -> LockgateError:
    doing = "locking the requirements"
    error = uv.failure(said, doing, "Correct the line, and push again.", "requirements-unresolvable")
    if not isinstance(error, UserError):
        return error
    named = dict.fromkeys(re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", error.message))
    places = [place for place in (line_of(requirements, name) for name in named) if place is not None]
    where = ", ".join(f"{path} line {number}" for path, number in dict.fromkeys(places))
    cause = error.message.removeprefix(f"{doing} failed: ")
    message = f"{where}: {cause}" if where else f"the requirements do not resolve: {cause}"
    return UserError(message, error.hint, code=error.code)


def _indexes(content: bytes) -> tuple[str, ...]:
    return index_lines(content.decode("utf-8-sig"))


def _project_files(path: str, paths: Mapping[str, Entry], read: Read) -> dict[str, bytes]:
    """uv reads the settings of a workspace from the `pyproject.toml` of each of its members."""
    root = path.rpartition("/")[0]
    under = f"{root}/" if root else ""
    names = [name for name in paths if name.startswith(under) and name.rpartition("/")[2] == "pyproject.toml"]
    return {name: read(name) or b"" for name in (path, *names)}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
