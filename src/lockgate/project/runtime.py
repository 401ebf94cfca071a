"""The software a project's stages run in: which file says it, is its lock current, what names it for good."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from typing import Literal

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.git.listing import Entry
from lockgate.project.pipeline import Runtime
from lockgate.project.requirements import INDEX_OPTIONS, logical_lines, name_of, normal_name

RuntimeKind = Literal["none", "requirements", "uv.lock", "pylock"]

#: What running a notebook takes beside the notebook's own packages.
NOTEBOOK_PACKAGES = ("ipykernel", "nbclient", "nbconvert")

#: Written where a project has notebooks and no requirements file.
DEFAULT_LOCK = "requirements.lock"

_BY_CONVENTION: tuple[tuple[str, RuntimeKind], ...] = (
    ("uv.lock", "uv.lock"),
    ("pylock.toml", "pylock"),
    ("requirements.txt", "requirements"),
)
_UNSUPPORTED = {
    "environment.yml": "conda environments",
    "environment.yaml": "conda environments",
    "conda-lock.yml": "conda environments",
    "renv.lock": "R environments (renv)",
    "apt.txt": "system packages (apt.txt)",
    "Dockerfile": "images (Dockerfile)",
}
_HEADER = "# lockgate: "
#: How a lock that Lockgate wrote begins.
LOCK_MARK = "# Locked by Lockgate from "
_FORMAT = 1


def find_runtime(paths: Mapping[str, Entry], declared: Runtime | None) -> Runtime:
    """Return the runtime of a snapshot: what is declared, else by convention, else plain Python.

    Conventions in order: `uv.lock`, `pylock.toml`, `requirements.txt`. Raises `UserError`:
    `runtime-unsupported`, `runtime-missing` (a file that is declared, or that another one needs).
    """
    if declared is not None and declared.path is not None:
        found = declared
        if posixpath.basename(found.path or "") in _UNSUPPORTED:
            raise _unsupported(str(found.path))
    else:
        python = declared.python if declared is not None else None
        found = _by_convention(paths, python)
    for path in _files(found):
        if path not in paths:
            declares = "[runtime] declares" if path == found.path else f"{found.path} needs"
            raise UserError(
                f"{path} is not in the project, but {declares} it",
                f"Add {path} with git add, or correct [runtime] in lockgate.toml.",
                code="runtime-missing",
            )
    return found


def _by_convention(paths: Mapping[str, Entry], python: str | None) -> Runtime:
    for path, kind in _BY_CONVENTION:
        if path in paths:
            return Runtime(kind=kind, path=path, python=python)
    for path in _UNSUPPORTED:
        if path in paths:
            raise _unsupported(path)
    return Runtime(python=python)


def _files(runtime: Runtime) -> tuple[str, ...]:
    if runtime.path is None:
        return ()
    if runtime.kind == "uv.lock":
        return (runtime.path, project_file(runtime.path))
    return (runtime.path,)


def _unsupported(path: str) -> UserError:
    return UserError(
        f"{_UNSUPPORTED[posixpath.basename(path)]} are not supported yet on this hub: {path}",
        "Write a requirements.txt with the packages the stages import, and push again.",
        code="runtime-unsupported",
    )


def project_file(uv_lock: str) -> str:
    """Return the path of the pyproject.toml that a uv.lock belongs to."""
    return posixpath.join(posixpath.dirname(uv_lock), "pyproject.toml")


def lock_path(requirements: str) -> str:
    """Return where the lock of a requirements file stands: beside it, `X.txt` → `X.lock`."""
    stem, ending = posixpath.splitext(requirements)
    return (stem if ending in (".txt", ".in") else requirements) + ".lock"


def lock_header(inputs: Mapping[str, str], python: str, extra: tuple[str, ...]) -> str:
    """Return the two lines that open a lock: for a reader, and for `lock_is_current`.

    `inputs` gives the blob id of every requirements file, `python` the version as `3.11`.
    """
    named = ", ".join(sorted(inputs)) or "the packages that notebooks need"
    about = {"format": _FORMAT, "inputs": dict(inputs), "python": python, "extra": sorted(extra)}
    return f"{LOCK_MARK}{named}: change that, not this file.\n{_HEADER}{json.dumps(about, sort_keys=True)}\n"


def lock_is_current(lock_text: str, inputs: Mapping[str, str], python: str, extra: tuple[str, ...]) -> bool:
    """Return whether a lock was made from just these inputs (path → blob id), Python and extra packages."""
    wanted = lock_header(inputs, python, extra).splitlines()[1]
    return any(line == wanted for line in lock_text.splitlines()[:2])


def parse_packages(lock_text: str) -> dict[str, str]:
    """Return package → version of a lock (requirements or `pylock.toml`), sorted by name.

    Where a lock names several versions for several platforms, they are joined by ` or `; a package named by
    address has its address as version.
    """
    found: dict[str, list[str]] = {}
    for name, version in _pylock_versions(lock_text) if is_pylock(lock_text) else _versions(lock_text):
        versions = found.setdefault(name, [])
        if version not in versions:
            versions.append(version)
    return {name: " or ".join(found[name]) for name in sorted(found)}


def package_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return what differs, as `numpy 2.3.1 → 2.3.2`, `+ polars 1.2`, `- six 1.16`: changed, added, gone."""
    changed = [f"{name} {old[name]} → {new[name]}" for name in old if name in new and old[name] != new[name]]
    added = [f"+ {name} {version}" for name, version in new.items() if name not in old]
    gone = [f"- {name} {version}" for name, version in old.items() if name not in new]
    return (*sorted(changed), *sorted(added), *sorted(gone))


def check_has_notebook(lock_text: str, path: str) -> None:
    """Raise `UserError` (`runtime-lacks-notebook`) if a finished lock lacks what running notebooks takes."""
    packages = parse_packages(lock_text)
    missing = [name for name in NOTEBOOK_PACKAGES if name not in packages]
    if missing:
        add = {
            "uv.lock": f"Run: uv add {' '.join(missing)}",
            "pylock.toml": f"Add {' '.join(missing)} to the project's dependencies, and lock again.",
        }.get(
            posixpath.basename(path),
            f"Add {' '.join(missing)} to it; without hashes, the hub locks it for you.",
        )
        raise UserError(
            f"{path} lacks {', '.join(missing)}, which notebook stages need",
            add,
            code="runtime-lacks-notebook",
        )


def runtime_digest(kind: str, lock_text: str, python_version: str, platform: str) -> str:
    """Return what names a runtime for good: sha256 over packages, full Python version and platform.

    Comments, blank lines, the order of lines and hashes, and every address are left out of it.
    """
    rows = [] if kind == "none" else _pylock_rows(lock_text) if is_pylock(lock_text) else _rows(lock_text)
    value = {"format": _FORMAT, "packages": sorted(rows), "platform": platform, "python": python_version}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def is_pylock(lock_text: str) -> bool:
    """Return whether a lock is a `pylock.toml` (the packaging specification of that name)."""
    return re.search(r"^lock-version\s*=", lock_text, re.MULTILINE) is not None


def _versions(lock_text: str) -> list[tuple[str, str]]:
    found = []
    for _, line in logical_lines(lock_text):
        name = name_of(line)
        if name is None:
            continue
        requirement = re.split(r"\s+;|;|\s--hash", line, maxsplit=1)[0]
        pinned = re.search(r"={2,3}\s*([^\s,)]+)", requirement)
        address = requirement.partition("@")[2].strip()
        found.append((name, pinned.group(1) if pinned else address or requirement[len(name) :].strip()))
    return found


def _rows(lock_text: str) -> list[str]:
    rows = []
    for _, line in logical_lines(lock_text):
        if line.startswith(INDEX_OPTIONS):
            continue
        requirement, *hashes = re.split(r"\s--hash[= ]", line)
        name, at, address = requirement.partition("@")
        if at and "://" in address:
            requirement = f"{name.strip()} @ {posixpath.basename(address.split('#')[0].strip())}"
        rows.append(" ".join([*requirement.split(), *sorted(value.strip() for value in hashes)]))
    return rows


class _Archive(msgspec.Struct, frozen=True):
    hashes: dict[str, str] = {}


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    marker: str = ""
    wheels: tuple[_Archive, ...] = ()
    sdist: _Archive | None = None
    archive: _Archive | None = None


class _Pylock(msgspec.Struct, frozen=True):
    packages: tuple[_Package, ...] = ()


def _pylock(lock_text: str) -> _Pylock:
    try:
        return msgspec.convert(tomli.loads(lock_text), _Pylock)
    except (tomli.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UserError(
            f"pylock.toml cannot be read: {error}",
            "Write it anew: uv export -o pylock.toml",
            code="runtime-unreadable",
        ) from None


def _pylock_versions(lock_text: str) -> list[tuple[str, str]]:
    return [(normal_name(package.name), package.version) for package in _pylock(lock_text).packages]


def _pylock_rows(lock_text: str) -> list[str]:
    rows = []
    for package in _pylock(lock_text).packages:
        archives = (*package.wheels, *(one for one in (package.sdist, package.archive) if one is not None))
        hashes = sorted(f"{kind}:{value}" for one in archives for kind, value in one.hashes.items())
        rows.append(" ".join([normal_name(package.name), package.version, package.marker, *hashes]))
    return rows
