"""Finding a backend by its name: entry points `lockgate.backends`, ours and others' by the same door."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from lockgate.backends.contract import Backend
from lockgate.errors import OutsideError, UserError

GROUP = "lockgate.backends"


def load_backend(name: str, **settings: object) -> Backend:
    """Return the backend of this name, made by its entry point's factory with these settings.

    Raises `UserError` (`backend-unknown`) for a name nobody offers or two packages do, `OutsideError`
    (`backend-broken`) when its package cannot be imported or its factory fails.
    """
    found = {(each.value, _package(each)): each for each in entry_points(group=GROUP, name=name)}
    if not found:
        known = ", ".join(known_backends()) or "none"
        raise UserError(
            f"there is no backend {name!r} here",
            f"Installed are: {known}. Others come with a package, to be installed beside the hub's Lockgate.",
            code="backend-unknown",
        )
    if len(found) > 1:
        packages = " and ".join(sorted(package for _, package in found))
        raise UserError(
            f"the backend {name!r} is offered by {packages}",
            "Uninstall all but one of them.",
            code="backend-unknown",
        )
    ((_, package), entry) = next(iter(found.items()))
    try:
        backend: Backend = entry.load()(**settings)
    except OutsideError:
        raise
    except Exception as error:
        raise OutsideError(
            f"the backend {name!r} of the package {package} cannot be used: {type(error).__name__}: {error}",
            f"Reinstall {package}, or install what it misses.",
            code="backend-broken",
        ) from error
    return backend


def known_backends() -> list[str]:
    """Return the names of all backends that are installed, sorted."""
    return sorted({each.name for each in entry_points(group=GROUP)})


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]
