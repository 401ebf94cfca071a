"""A real HTCondor pool for the tests, and the ordinary user that it takes jobs from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uv
from ordinary_user import as_root, as_user

SCRIPT = Path(__file__).with_name("htcondor.sh")
USER = "lockgate-test"
#: Read before the tests clear the environment.
CACHE = Path(os.environ.get("LOCKGATE_TEST_CACHE") or "/var/cache/lockgate-tests")


class NotTestedError(Exception):
    """There can be no pool here, and why."""


class Pool:
    """One pool, in a folder of its own below /tmp."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.calls_path = Path(tempfile.gettempdir()) / f"{folder.name}.calls"

    def run(self, *words: str, timeout_s: float = 120) -> None:
        done = subprocess.run(
            [os.fspath(SCRIPT), *words], capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode != 0:
            raise NotTestedError(f"{SCRIPT.name} {words[0]}: {done.stderr.strip()[-300:]}")

    def tool(self, name: str, *words: str, check: bool = True) -> str:
        """Run one of HTCondor's programs as whoever the tests are now."""
        done = subprocess.run(
            [os.fspath(self.bin / name), *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, (name, words, done.stdout, done.stderr)
        return done.stdout

    def kill(self, daemon: str) -> None:
        with as_root():
            self.run("kill", os.fspath(self.folder), daemon)

    def restart(self) -> None:
        """Start the master where it is gone."""
        with as_root():
            self.run("master", os.fspath(self.folder))

    def signal(self, daemon: str, signal: str) -> None:
        with as_root():
            self.run("signal", os.fspath(self.folder), daemon, signal)


def start(cpus: int = 2) -> Pool:
    """Start a pool; raises `NotTestedError`."""
    if os.geteuid() != 0:
        raise NotTestedError("only root can start HTCondor's daemons with jobs of another user")
    if shutil.which("debootstrap") is None and not (CACHE / "htcondor/installed").exists():
        raise NotTestedError("debootstrap is not installed (Debian: apt install debootstrap)")
    folder = Path(tempfile.mkdtemp(prefix="lockgate-htcondor-", dir="/tmp"))
    folder.chmod(0o755)
    pool = Pool(folder)
    root = os.fspath(CACHE / "htcondor")
    try:
        pool.run("install", root, timeout_s=900)
        pool.run("start", os.fspath(folder), root)
    except (NotTestedError, subprocess.TimeoutExpired) as error:
        stop(pool)
        raise NotTestedError(str(error)) from None
    return pool


def stop(pool: Pool) -> None:
    pool.run("stop", os.fspath(pool.folder))
    shutil.rmtree(pool.folder, ignore_errors=True)


@contextmanager
def pool_for_tests() -> Iterator[Pool]:
    """Start a pool, be its ordinary user, and have its programs and its configuration in the environment; a
    pool that cannot be had is told of, and nothing is tested."""
    try:
        pool = start()
    except NotTestedError as reason:
        warnings.warn(f"NOT TESTED: HTCondor: {reason}", stacklevel=2)
        pytest.skip(f"NOT TESTED: HTCondor: {reason}")
    try:
        with pytest.MonkeyPatch.context() as patch, as_user(USER):
            patch.setenv("CONDOR_CONFIG", os.fspath(pool.folder / "condor_config"))
            patch.setenv("PATH", f"{pool.bin}{os.pathsep}{os.environ['PATH']}")
            pool.calls_path.touch()
            yield pool
    finally:
        stop(pool)


#: What no job of the tests needs, and packages: those of a copy are Lockgate's own.
_NOT_COPIED = ("site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "share", "include")
_LOCKGATE = """\
#!{python}
import sys
from lockgate.cli.main import main
sys.exit(main())
"""


@contextmanager
def lockgate_of_user(folder: Path, git_config: Path) -> Iterator[None]:
    """Have a home and a `lockgate` of the ordinary user's own in the environment.

    Its Python is a copy of this one below `folder`: jobs see nothing of this host but what lies below /tmp,
    and the interpreters that developers build lie in homes that others may not look into.
    """
    if sys.base_prefix == "/usr":
        pytest.skip(
            "NOT TESTED: the demo on HTCondor: the tests' Python has no folder of its own to be copied"
        )
    home, python = folder / "home", folder / "python"
    home.mkdir()
    shutil.copy(git_config, home / ".gitconfig")
    _copy_python(Path(sys.base_prefix), python)
    with as_root():
        cache = CACHE / "uv-of-user"
        cache.mkdir(parents=True, exist_ok=True)
        shutil.chown(cache, USER, USER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", os.fspath(home))
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            patch.setenv(f"XDG_{name}_HOME", os.fspath(home / name.lower()))
        patch.setenv("UV_CACHE_DIR", os.fspath(cache))
        patch.setenv("PATH", f"{python / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield


def _copy_python(prefix: Path, target: Path) -> None:
    shutil.copytree(prefix, target, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED, "*.a"))
    version = "python{}.{}".format(*sys.version_info)
    # A Python with a shared library finds it by an absolute path: one beside the program takes its place.
    program = target / "bin" / version
    old, new = os.fsencode(prefix / "lib") + b"\0", b"$ORIGIN/../lib\0"
    program.write_bytes(program.read_bytes().replace(old, new.ljust(len(old), b"\0")))
    packages = target / "lib" / version / "site-packages"
    packages.mkdir()
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    (target / "bin/uv").unlink(missing_ok=True)
    (target / "bin/uv").symlink_to(uv.find_uv_bin())
    (target / "bin/lockgate").write_text(_LOCKGATE.format(python=program))
    (target / "bin/lockgate").chmod(0o755)
