"""Runtimes on the hub: requirements are locked, and each runtime is built once, by uv, then found again."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.listing import Entry, blob_id
from lockgate.hub import uv
from lockgate.project.pipeline import Runtime
from lockgate.project.requirements import decode, gather, index_lines, line_of, needs_lock
from lockgate.project.runtime import (
    DEFAULT_LOCK,
    NOTEBOOK_PACKAGES,
    check_has_notebook,
    find_runtime,
    is_pylock,
    lock_header,
    lock_is_current,
    lock_path,
    parse_packages,
    runtime_digest,
)
from lockgate.runs.isolation import NOT_ISOLATED, Isolation, isolating

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
#: Every index may offer a file, because its hash decides.
_SYNC = (
    "pip", "sync", "--require-hashes", "--compile-bytecode", "--allow-empty-requirements",
    "--index-strategy", "unsafe-best-match",
)  # fmt: skip


class Locked(msgspec.Struct, frozen=True):
    """A snapshot's runtime with nothing left open: what `build` builds."""

    digest: str
    kind: str
    text: str
    """Every package with version and hashes; empty for plain Python."""
    python: str
    """The full version, as `3.11.7`."""
    interpreter: str
    packages: dict[str, str]
    lock_file: str | None = None
    """Where `text` belongs in the result commit; None: the snapshot says it all already."""


class _Ready(msgspec.Struct, frozen=True):
    """The mark of a runtime that was built to the end."""

    packages: dict[str, str]
    python: str
    built_at: str


def _locked(kind: str, text: str, interpreter: Path, python: str, lock_file: str | None = None) -> Locked:
    return Locked(
        digest=runtime_digest(kind, text, python, sysconfig.get_platform()),
        kind=kind,
        text=text,
        python=python,
        interpreter=os.fspath(interpreter),
        packages=parse_packages(text),
        lock_file=lock_file,
    )


class Runtimes:
    """The runtimes of one hub, in one folder; safe for any number of processes and threads."""

    def __init__(
        self,
        folder: Path,
        *,
        may_lock: bool = True,
        is_fresh: bool = False,
        isolation: Callable[[], Isolation | None] = lambda: None,
    ) -> None:
        """`may_lock` False: what would have to be locked first is an error instead, `runtime-unlocked`.

        `is_fresh`: nothing is taken from uv's cache of packages.
        `isolation` is asked from what packages are to be kept: their code runs while they are built.
        """
        self.folder = folder
        self._is_fresh = is_fresh
        self._may_lock = may_lock
        self._isolation = isolation
        self._pythons: dict[str, tuple[str, str, int]] = {}

    def locked(
        self, paths: Mapping[str, Entry], declared: Runtime | None, read: Read, has_notebooks: bool
    ) -> Locked:
        """Return the runtime of a snapshot, locking its requirements where that is still to do.

        `read` gives the content of a path of the snapshot. No process is started when the snapshot holds a
        current lock. Raises what `find_runtime`, `gather`, `lock` and `find_python` raise, and `UserError`
        (`runtime-lacks-notebook`).
        """
        runtime = find_runtime(paths, declared)
        interpreter, python = self.find_python(runtime.python)
        minor = ".".join(python.split(".")[:2])
        text, lock_file = self._text(runtime, paths, read, minor, has_notebooks)
        kind = "none" if not text else runtime.kind if runtime.kind != "none" else "requirements"
        return _locked(kind, text, interpreter, python, lock_file)

    def of_lock(self, kind: str, text: str) -> Locked:
        """Return the runtime that a lock alone tells, for the Python here. Raises what `find_python` does."""
        return _locked(kind, text, *self.find_python(None))

    def _text(
        self, runtime: Runtime, paths: Mapping[str, Entry], read: Read, minor: str, has_notebooks: bool
    ) -> tuple[str, str | None]:
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
        interpreter, full = self.find_python(python)
        minor = python or ".".join(full.split(".")[:2])
        header = lock_header({name: blob_id(text) for name, text in requirements.items()}, minor, extra)
        kept = self.folder / "locks" / f"{sha256(header.encode() + main.encode()).hexdigest()}.lock"
        if kept.exists():
            return kept.read_text("utf-8")
        self._require_locking(main)
        with _disk_told("locking the runtime"), _exclusive(kept.with_suffix(".guard")):
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
            _write_whole(kept, text.encode())
            return text

    def export(self, files: Mapping[str, bytes], main: str) -> str:
        """Return a `uv.lock` as hashed requirements, the project itself and its default groups included as
        `uv sync` takes them, but the project's own code left out: a stage finds it in its workspace.

        Raises `UserError` (`runtime-unreadable`).
        """
        key = sha256(b"".join(b"%s %s\n" % (n.encode(), blob_id(files[n]).encode()) for n in sorted(files)))
        kept = self.folder / "locks" / f"{key.hexdigest()}.export"
        if kept.exists():
            return kept.read_text("utf-8")
        self._require_locking(main)
        with _disk_told("reading uv.lock"), _exclusive(kept.with_suffix(".guard")):
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
            _write_whole(kept, (own + output).encode())
            return own + output

    def _require_locking(self, main: str) -> None:
        if not self._may_lock:
            raise UserError(
                f"{main or 'the runtime'} is not locked yet",
                "Run it once: lockgate run",
                code="runtime-unlocked",
            )

    def find_python(self, version: str | None) -> tuple[Path, str]:
        """Return an interpreter of a version as `3.11` and its full version; None: the one the hub runs on.

        What was found is kept, and looked for anew when the interpreter's file changed. Raises `UserError`
        (`python-missing`).
        """
        own = Path(getattr(sys, "_base_executable", None) or sys.executable)
        full = platform.python_version()
        if version is None or f"{full}.".startswith(f"{version}."):
            return own, full
        if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
            raise UserError(
                f"{version!r} is no Python version", 'Write it as python = "3.11".', code="python-missing"
            )
        known = self._pythons.get(version) or self._kept_pythons().get(version)
        if known is None or _changed_at(known[0]) != known[2]:
            known = _look_for_python(version, self.folder if self.folder.exists() else Path("/"))
            kept = self._kept_pythons() | {version: known}
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self.folder / "pythons.json", json.dumps(kept).encode())
        self._pythons[version] = known
        return Path(known[0]), known[1]

    def _kept_pythons(self) -> dict[str, tuple[str, str, int]]:
        try:
            return msgspec.json.decode(
                (self.folder / "pythons.json").read_bytes(), type=dict[str, tuple[str, str, int]]
            )
        except (OSError, msgspec.DecodeError):
            return {}

    def python_path(self, digest: str) -> Path:
        """Return where a runtime's interpreter is, or will be."""
        return self.bin_path(digest) / "python"

    def bin_path(self, digest: str) -> Path:
        """Return the folder that goes first on a job's PATH."""
        return self.folder / digest / "venv" / "bin"

    def cache_path(self, digest: str) -> Path:
        """Return a folder for what a runtime's programs keep between jobs, as `matplotlib/`'s fonts."""
        return self.folder / digest / "cache"

    def inside(self, root: Path, digest: str) -> list[str]:
        """Return what a runtime's programs need below a directory, as paths relative to it; those that end
        in `/` are written to."""
        base = Path(os.path.realpath(self.python_path(digest))).parent.parent
        words = [_below(path, root) for path in (self.folder / digest / "venv", base)]
        cache = _below(self.cache_path(digest), root) if self.cache_path(digest).exists() else None
        return [*filter(None, words), *([f"{cache}/"] if cache else [])]

    def log_path(self, digest: str) -> Path:
        """Return where the full log of a runtime's building is."""
        return self.folder / f"{digest}.log"

    def ready(self, digest: str) -> Path | None:
        """Return the interpreter of a runtime that is built; None: it is not, or its base Python is gone."""
        path = self.python_path(digest)
        is_ready = (self.folder / digest / "ready.json").exists() and path.exists()
        return path if is_ready else None

    def packages(self, digest: str) -> dict[str, str]:
        """Return package → version of a runtime that was built here; empty for one unknown."""
        try:
            return msgspec.json.decode(
                (self.folder / digest / "ready.json").read_bytes(), type=_Ready
            ).packages
        except (OSError, msgspec.DecodeError):
            return {}

    def build(self, digest: str, lock_text: str, kind: str, python: Path) -> Path:
        """Build a runtime unless it is there, and return its interpreter.

        One process builds, others wait for it; what was left half-built is built anew. Raises `UserError`
        (`runtime-build-failed`), `OutsideError` (`index-unreachable`, `disk-full`), all naming the log.
        """
        with _disk_told("building the runtime"), _exclusive(self.folder / f"{digest}.guard"):
            found = self.ready(digest)
            if found is not None:
                return found
            place = self.folder / digest
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            log = self.log_path(digest)
            log.write_bytes(b"")
            self._run(["venv", "--quiet", "--no-project", "--python", os.fspath(python), "venv"], digest)
            if kind != "none" and lock_text:
                name = "pylock.toml" if is_pylock(lock_text) else "requirements.lock"
                (place / name).write_text(lock_text, "utf-8")
                self._run(
                    [
                        *_SYNC,
                        *(["--no-cache"] if self._is_fresh else []),
                        "--python",
                        os.fspath(self.python_path(digest)),
                        name,
                    ],
                    digest,
                )
            packages = parse_packages(lock_text) if kind != "none" else {}
            ready = _Ready(packages, os.fspath(python), _now())
            _write_whole(place / "ready.json", msgspec.json.encode(ready))
        if "matplotlib" in packages:
            self._warm_fonts(digest)
        return self.python_path(digest)

    def _run(self, arguments: list[str], digest: str) -> None:
        log = self.log_path(digest)
        code, _, said = uv.attempt(arguments, self.folder / digest, log, self._isolated)
        if code != 0:
            raise uv.failure(said, "building the runtime", f"The full log: {log}", "runtime-build-failed")

    def _isolated(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs another where what packages may not see is hidden; it writes to the
        folder it runs in."""
        isolation = self._isolation()
        if isolation is None:
            return list(words)
        needed = [_below(Path(path), Path(isolation.hub)) for path in (sys.prefix, sys.base_prefix)]
        text = isolating(
            isolation,
            f"{shlex.join(words)}; exit $?",
            readable=[f'"$hub"/{shlex.quote(path)}' for path in dict.fromkeys(needed) if path],
            writable=['"$folder"'],
        )
        return ["/bin/sh", "-c", f"{text}isolate\nexit {NOT_ISOLATED}"]

    def _warm_fonts(self, digest: str) -> None:
        """Fix the ids in SVGs; let matplotlib list the fonts now, so that the first job need not wait.

        matplotlib writes the list under a lock of its own, and a job that comes first makes it itself.
        """
        cache = self.cache_path(digest) / "matplotlib"
        cache.mkdir(parents=True, exist_ok=True)
        # Else the ids in every SVG are random (matplotlib, backend_svg.py, _make_id)
        (cache / "matplotlibrc").write_text("svg.hashsalt: lockgate\n", "utf-8")
        words = [os.fspath(self.python_path(digest)), "-c", "import matplotlib.font_manager"]
        subprocess.run(
            # A shell stays with it: what is isolated ends with its parent
            ["/bin/sh", "-c", '{ "$@"; :; } &', "sh", *self._isolated(words)],
            cwd=self.folder / digest,
            env=uv.environment() | {"MPLCONFIGDIR": os.fspath(cache), "MPLBACKEND": "Agg"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
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


def _look_for_python(version: str, folder: Path) -> tuple[str, str, int]:
    code, output, said = uv.attempt(["python", "find", "--no-project", "--system", version], folder)
    if code == 0:
        ask = "import platform, sys; print(sys.executable); print(platform.python_version())"
        answer = subprocess.run(
            [output.strip(), "-I", "-c", ask],
            capture_output=True,
            text=True,
            check=False,
            env=uv.environment(),
        )
        if answer.returncode == 0:
            path, full = answer.stdout.splitlines()[:2]
            return path, full, _changed_at(path)
        said = answer.stderr
    raise UserError(
        f"Python {version} is not on the hub: {uv.decisive_line(said)}",
        f"On the hub, type: uv python install {version}; or choose another version in [runtime].",
        code="python-missing",
    )


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return -1


def _below(path: Path, root: Path) -> str | None:
    real = os.path.realpath(root) + "/"
    found = os.path.realpath(path)
    return found.removeprefix(real) if found.startswith(real) else None


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _write_whole(path: Path, content: bytes) -> None:
    """Readers see the old content or the new, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One at a time over processes and threads; a dead holder lets go by itself (flock(2))."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _disk_told(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise uv.disk_full(doing) from None
        raise OutsideError(
            f"{doing} failed: {error}", "Check the hub's folder and who owns it.", code="runtime-folder"
        ) from None
