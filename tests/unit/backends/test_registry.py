"""Backends by name, ours and those of other packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lockgate.backends.local import LocalBackend
from lockgate.backends.registry import known_backends, load_backend
from lockgate.errors import OutsideError, UserError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on the path where packages can be put as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(place: Path, package: str, entry: str) -> None:
    info = place / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lockgate.backends]\n{entry}\n")


def test_the_local_backend_comes_by_the_same_door() -> None:
    backend = load_backend("local", cpus=1)
    assert isinstance(backend, LocalBackend)
    backend.close()


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UserError) as caught:
        load_backend("slrum")
    assert caught.value.code == "backend-unknown"
    assert "'slrum'" in caught.value.message and "local" in caught.value.hint


def test_another_package_offers_one(installed: Path) -> None:
    (installed / "their_backend.py").write_text("def make(): return 'theirs'\n")
    install(installed, "their-backend", "theirs = their_backend:make")
    assert "theirs" in known_backends()
    made: object = load_backend("theirs")
    assert made == "theirs"
    sys.modules.pop("their_backend")


@pytest.mark.parametrize(
    "entry", ["broken = no_such_module:make", "broken = os:no_such_name", "broken = os:getenv"]
)
def test_a_broken_package_is_named(installed: Path, entry: str) -> None:
    install(installed, "their-backend", entry)
    with pytest.raises(OutsideError) as caught:
        load_backend("broken")
    assert caught.value.code == "backend-broken"
    assert "their-backend" in caught.value.message and "their-backend" in caught.value.hint


def test_two_packages_for_one_name_are_an_error(installed: Path) -> None:
    install(installed, "one", "twice = os:getcwd")
    install(installed, "two", "twice = os:getpid")
    with pytest.raises(UserError) as caught:
        load_backend("twice")
    assert "one and two" in caught.value.message
