"""Jupyter as a user has it: JupyterLab and its neighbours as locked, this project's wheel beside them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from locked_environment import locked_environment

ROOT = Path(__file__).parents[2]
_LIBRARY = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
_KEPT = 3


def lab_environment() -> tuple[Path, dict[str, str]]:
    """Return the folder of its programs, and what its processes need in their environment.

    The wheel is built as `make wheel` does, once for each state of the sources. Skips loudly without npm.
    """
    base = locked_environment("lab").parent
    cache = Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"
    home = cache / f"lab-wheel-{base.name}-{_digest(_sources())}"
    with (cache / "lab-wheel.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "whole").exists():
            _make(base, home)
            _forget_others(home)
    share = base / "share/jupyter"
    return home / "bin", {
        "JUPYTER_PATH": str(share),
        "JUPYTER_CONFIG_PATH": str(base / "etc/jupyter"),
        "JUPYTERLAB_DIR": str(share / "lab"),
        "PATH": os.pathsep.join([str(home / "bin"), str(base / "bin"), os.environ["PATH"]]),
    }


def _make(base: Path, home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NOT TESTED: JupyterLab: Node.js with npm is not installed here")
    uv = str(Path(sys.executable).parent / "uv")
    _run(["make", "lab"], ROOT)
    _run([uv, "venv", "-q", "--clear", "-p", sys.executable, str(home)], ROOT)
    (home / _LIBRARY / "jupyter.pth").write_text(f"{base / _LIBRARY}\n")
    build = ["--build-constraints", "requirements/build.txt"]
    _run([uv, "build", "-q", "--wheel", *build, "--out-dir", str(home / "wheel"), "."], ROOT)
    wheel = next((home / "wheel").glob("*.whl"))
    into = ["--python", str(home / "bin/python")]
    _run([uv, "pip", "install", "-q", "--no-deps", "--compile-bytecode", *into, str(wheel)], ROOT)
    (home / "whole").touch()


def _run(words: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def _sources() -> Iterable[Path]:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "src",
            "lab",
            "pyproject.toml",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return sorted(ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        if path.is_file():
            whole.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]


def _forget_others(home: Path) -> None:
    """Sources change often: the environments of some states are kept, as other sessions may use them."""
    others = sorted(home.parent.glob("lab-wheel-*/"), key=lambda each: each.stat().st_mtime)
    for each in others[:-_KEPT]:
        shutil.rmtree(each, ignore_errors=True)
