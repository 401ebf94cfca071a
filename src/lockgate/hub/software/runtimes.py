"""Runtimes on the hub: each is built once, by uv, from what is locked, then found again."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockgate.git.listing import Entry
from lockgate.hub.software import uv
from lockgate.hub.software.pythons import Pythons
from lockgate.hub.software.runtime_folder import disk_told, exclusive, write_whole
from lockgate.hub.software.runtime_locks import Read, RuntimeLocks
from lockgate.project.pipeline import Runtime
from lockgate.project.runtime import find_runtime, is_pylock, parse_packages, runtime_digest
from lockgate.runs.isolation import NOT_ISOLATED, Isolation, isolating

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
        self._isolation = isolation
        self.pythons = Pythons(folder)
        self.locks = RuntimeLocks(folder, self.pythons, may_lock=may_lock, isolated=self._isolated)

    def locked(
        self, paths: Mapping[str, Entry], declared: Runtime | None, read: Read, has_notebooks: bool
    ) -> Locked:
        """Return the runtime of a snapshot, locking its requirements where that is still to do.

        `read` gives the content of a path of the snapshot. No process is started when the snapshot holds a
        current lock. Raises what `find_runtime`, `Pythons.find` and `RuntimeLocks.of_snapshot` raise.
        """
        runtime = find_runtime(paths, declared)
        interpreter, python = self.pythons.find(runtime.python)
        minor = ".".join(python.split(".")[:2])
        text, lock_file = self.locks.of_snapshot(runtime, paths, read, minor, has_notebooks)
        kind = "none" if not text else runtime.kind if runtime.kind != "none" else "requirements"
        return _locked(kind, text, interpreter, python, lock_file)

    def of_lock(self, kind: str, text: str) -> Locked:
        """Return the runtime that a lock alone tells, for the Python here. Raises as `Pythons.find`."""
        return _locked(kind, text, *self.pythons.find(None))

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
        with disk_told("building the runtime"), exclusive(self.folder / f"{digest}.guard"):
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
            write_whole(place / "ready.json", msgspec.json.encode(ready))
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


def _below(path: Path, root: Path) -> str | None:
    real = os.path.realpath(root) + "/"
    found = os.path.realpath(path)
    return found.removeprefix(real) if found.startswith(real) else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
