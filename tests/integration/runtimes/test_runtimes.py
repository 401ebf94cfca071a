"""Runtimes built for real, with a package of one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lockgate.errors import LockgateError, UserError
from lockgate.git.listing import Entry, blob_id
from lockgate.hub.software import uv
from lockgate.hub.software.runtimes import Locked, Runtimes
from lockgate.project.pipeline import Runtime
from lockgate.project.runtime import NOTEBOOK_PACKAGES

BUILD = """
import sys
from pathlib import Path
from lockgate.hub.software.runtimes import Runtimes
folder, digest, lock, python = sys.argv[1:]
print(Runtimes(Path(folder)).build(digest, Path(lock).read_text(), "requirements", Path(python)))
"""


@pytest.fixture
def runtimes(tmp_path: Path) -> Runtimes:
    return Runtimes(tmp_path / "runtimes")


def locked(
    runtimes: Runtimes,
    files: Mapping[str, bytes],
    declared: Runtime | None = None,
    has_notebooks: bool = False,
) -> Locked:
    paths = {path: Entry(0o100644, blob_id(content)) for path, content in files.items()}
    return runtimes.locked(paths, declared, files.get, has_notebooks)


def build(runtimes: Runtimes, found: Locked) -> Path:
    return runtimes.build(found.digest, found.text, found.kind, Path(found.interpreter))


def run(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_plain_python_is_built_and_found_again(runtimes: Runtimes) -> None:
    found = locked(runtimes, {"a.py": b""})
    assert (found.kind, found.text, found.packages, found.lock_file) == ("none", "", {}, None)
    assert runtimes.ready(found.digest) is None
    python = build(runtimes, found)
    assert run(python, "import platform; print(platform.python_version())") == found.python
    started = time.perf_counter()
    assert runtimes.ready(found.digest) == python
    assert time.perf_counter() - started < 0.02
    assert runtimes.bin_path(found.digest) == python.parent


def test_requirements_are_locked_with_hashes_and_no_address(runtimes: Runtimes) -> None:
    found = locked(runtimes, {"requirements.txt": b"-r ops/more.txt\n", "ops/more.txt": b"six\n"})
    assert found.lock_file == "requirements.lock"
    assert list(found.packages) == ["six"]
    assert "--hash=sha256:" in found.text
    assert "://" not in found.text
    assert os.fspath(runtimes.folder) not in found.text
    python = build(runtimes, found)
    assert run(python, "import six; print(six.__version__)") == found.packages["six"]
    assert runtimes.packages(found.digest) == found.packages
    assert list(python.parent.parent.rglob("__pycache__/six.*.pyc"))


def test_a_current_lock_is_taken_as_it_is_and_a_stale_one_keeps_what_it_can(runtimes: Runtimes) -> None:
    files = {"requirements.txt": b"six<1.17\n"}
    first = locked(runtimes, files)
    again = locked(Runtimes(runtimes.folder), files)
    assert (again.text, again.lock_file) == (first.text, "requirements.lock")
    kept = locked(runtimes, files | {"requirements.lock": first.text.encode()})
    assert (kept.text, kept.lock_file, kept.digest) == (first.text, None, first.digest)
    wider = {"requirements.txt": b"six\niniconfig\n", "requirements.lock": first.text.encode()}
    moved = locked(runtimes, wider)
    assert moved.lock_file == "requirements.lock"
    assert moved.packages["six"] == first.packages["six"]
    assert "iniconfig" in moved.packages


def test_notebook_packages_are_locked_along(runtimes: Runtimes) -> None:
    found = locked(runtimes, {}, has_notebooks=True)
    assert set(NOTEBOOK_PACKAGES) <= set(found.packages)
    assert found.lock_file == "requirements.lock"
    kept = locked(runtimes, {"requirements.lock": found.text.encode()}, has_notebooks=True)
    assert (kept.digest, kept.lock_file) == (found.digest, None)


def test_a_finished_lock_is_used_as_it_is(runtimes: Runtimes) -> None:
    lock = locked(runtimes, {"requirements.txt": b"six\n"}).text.encode()
    found = locked(runtimes, {"requirements.txt": lock})
    assert (found.lock_file, found.text) == (None, lock.decode())
    with pytest.raises(UserError) as refused:
        locked(runtimes, {"requirements.txt": lock}, has_notebooks=True)
    assert refused.value.code == "runtime-lacks-notebook"


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (b"iniconfig\nsix==99\n", "requirements.txt line 2", "six==99"),
        (b"\nsix=<1\n", "requirements.txt line 2", "no such comparison operator"),
        (b"no-such-package-was-ever-made-here\n", "requirements.txt line 1", "not found"),
    ],
)
def test_what_does_not_resolve_is_told_in_one_line(
    runtimes: Runtimes, content: bytes, where: str, said: str
) -> None:
    with pytest.raises(UserError) as refused:
        locked(runtimes, {"requirements.txt": content})
    assert refused.value.code == "requirements-unresolvable"
    assert refused.value.message.startswith(where)
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_a_python_that_is_not_there(runtimes: Runtimes) -> None:
    for version in ("3.99", "three", "3.11; rm -rf /"):
        with pytest.raises(UserError) as refused:
            locked(runtimes, {}, Runtime(python=version))
        assert refused.value.code == "python-missing"


def test_a_python_that_was_found_is_kept_until_its_file_changes(runtimes: Runtimes, tmp_path: Path) -> None:
    own, full = runtimes.pythons.find(None)
    asked = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert runtimes.pythons.find(asked) == (own, full)
    other = tmp_path / "python3.77"
    other.write_text("#!/bin/sh\n")
    kept = {"3.77": (os.fspath(other), "3.77.1", other.stat().st_mtime_ns)}
    runtimes.folder.mkdir()
    (runtimes.folder / "pythons.json").write_text(json.dumps(kept))
    assert runtimes.pythons.find("3.77") == (other, "3.77.1")
    os.utime(other, (1, 1))
    with pytest.raises(UserError, match=r"Python 3\.77 is not on the hub"):
        runtimes.pythons.find("3.77")


def test_threads_and_processes_build_once(runtimes: Runtimes, tmp_path: Path) -> None:
    found = locked(runtimes, {"requirements.txt": b"six\n"})
    lock = tmp_path / "lock"
    lock.write_text(found.text)
    command: list[str | Path] = [sys.executable, "-c", BUILD, runtimes.folder, found.digest, lock]
    command.append(found.interpreter)
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(build(runtimes, found))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [other.communicate(timeout=60)[0].strip() for other in others]
    assert said == [os.fspath(runtimes.python_path(found.digest))] * 2
    assert paths == [runtimes.python_path(found.digest)] * 3
    assert runtimes.log_path(found.digest).read_text().count("$ uv venv") == 1


def test_a_build_killed_half_way_is_done_again(runtimes: Runtimes, tmp_path: Path) -> None:
    found = locked(runtimes, {"requirements.txt": b"six\n"})
    lock = tmp_path / "lock"
    lock.write_text(found.text)
    command: list[str | Path] = [sys.executable, "-c", BUILD, runtimes.folder, found.digest, lock]
    command.append(found.interpreter)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not runtimes.python_path(found.digest).exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    was_ready = (runtimes.folder / found.digest / "ready.json").exists()
    leftover = runtimes.folder / found.digest / "venv" / "leftover"
    leftover.touch()
    python = build(runtimes, found)
    assert run(python, "import six; print(six.__name__)") == "six"
    assert leftover.exists() is was_ready


def test_a_failing_build_names_its_log_and_is_tried_again(runtimes: Runtimes) -> None:
    text = f"six==1.16.0 --hash=sha256:{'a' * 64}\n"
    found = locked(runtimes, {"requirements.txt": text.encode()})
    with pytest.raises(UserError) as refused:
        build(runtimes, found)
    assert refused.value.code == "runtime-build-failed"
    assert "six==1.16.0" in refused.value.message
    log = runtimes.log_path(found.digest)
    assert os.fspath(log) in refused.value.hint
    assert "a" * 64 in log.read_text()
    assert runtimes.ready(found.digest) is None
    with pytest.raises(UserError):
        build(runtimes, found)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LockgateError) as refused:
        locked(Runtimes(tmp_path / "file" / "runtimes"), {"requirements.txt": b"six\n"})
    assert refused.value.code == "runtime-folder"


def test_what_stands_around_the_hub_does_not_lead_astray(
    runtimes: Runtimes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "GIT_DIR",
        "UV_PROJECT_ENVIRONMENT",
    ):
        monkeypatch.setenv(name, os.fspath(tmp_path / "nowhere"))
    found = locked(runtimes, {"requirements.txt": b"six\n"})
    python = build(runtimes, found)
    monkeypatch.undo()
    assert run(python, "import sys; print(sys.prefix)") == os.fspath(python.parent.parent)


def test_a_uv_project_and_its_pylock_are_built(runtimes: Runtimes, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'
        '[dependency-groups]\ndev = ["iniconfig"]\n'
    )
    for arguments in (
        ["lock"],
        ["export", "--frozen", "--format", "pylock.toml", "-o", "pylock.toml", "--no-dev"],
    ):
        code, _, said = uv.attempt(arguments, project)
        assert code == 0, said
    files = {name: (project / name).read_bytes() for name in ("pyproject.toml", "uv.lock")}
    nested = {f"code/{name}": content for name, content in files.items()}
    found = locked(runtimes, nested, Runtime("uv.lock", "code/uv.lock"))
    assert (found.kind, found.lock_file, sorted(found.packages)) == ("uv.lock", None, ["iniconfig", "six"])
    run(build(runtimes, found), "import six, iniconfig")
    same = locked(runtimes, files)
    assert same.digest == found.digest

    pylock = locked(runtimes, {"pylock.toml": (project / "pylock.toml").read_bytes()})
    assert (pylock.kind, list(pylock.packages)) == ("pylock", ["six"])
    run(build(runtimes, pylock), "import six")

    with pytest.raises(UserError) as refused:
        locked(runtimes, files, has_notebooks=True)
    assert refused.value.code == "runtime-lacks-notebook"
    with pytest.raises(UserError) as refused:
        locked(runtimes, files | {"uv.lock": b"version = "})
    assert refused.value.code == "runtime-unreadable"


@pytest.mark.parametrize(
    ("said", "code", "is_transient"),
    [
        ("error: Failed to install\n  cause: No space left on device (os error 28)\n", "disk-full", False),
        ("error: Failed to fetch: `x`\n  Caused by: dns error: failed\n", "index-unreachable", True),
        ("error: x\n  cause: invalid peer certificate: UnknownIssuer\n", "index-unreachable", False),
        ("error: odd\n", "c", False),
        ("", "c", False),
    ],
)
def test_a_failure_is_told_by_its_cause(said: str, code: str, is_transient: bool) -> None:
    error = uv.failure(said, "building", "hint", "c")
    assert (error.code, error.is_transient) == (code, is_transient)


def test_the_innermost_cause_is_the_line_to_tell() -> None:
    older = "  × No solution found:\n  ╰─▶ Because a\n      and b.\n\n      hint: c\n"
    newer = "error: No solution found\n  cause: Because a\n         and b.\nhint: c\n"
    assert uv.decisive_line(older) == uv.decisive_line(newer) == "Because a and b."
    assert uv.decisive_line("\n plain words \n") == "plain words"
    assert uv.decisive_line("") == "uv said nothing"
